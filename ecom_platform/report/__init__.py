"""The evidence as people read it: one HTML page, one table in a terminal. Nothing is judged here but the whole.

evidence.py holds the types and pure functions, figures.py the words for numbers, plots.py the
pictures, page.py the HTML file, terminal.py the table, promises.py the document's backup table
with the truth beside each cell. Where evidence comes from (runs, checks, stores) does not belong here.
"""
