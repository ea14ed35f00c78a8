// The figures are of the time of the page. A reader who opens it later is told so.
const made = new Date(document.documentElement.dataset.made);
const hours = (Date.now() - made) / 3600000;
if (hours >= 1) {
  const days = Math.floor(hours / 24);
  const age = days >= 1 ? `${days} ${days === 1 ? "day" : "days"}` : `${Math.floor(hours)} h`;
  const note = document.getElementById("old");
  note.textContent = `This page is ${age} old. Its figures and ages are those of the time when it was made.`;
  note.hidden = false;
}
