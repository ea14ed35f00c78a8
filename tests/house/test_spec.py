"""Specs: the example loads, and every mistake is one clear error that names its line."""

from pathlib import Path

import pytest

from ecom_platform.errors import ConfigurationError
from ecom_platform.settings import EXAMPLE_SPEC, ROOT, read_settings
from ecom_platform.spec import Shop, duration
from ecom_platform.spec_file import read_spec, write_spec

MINIMAL = """\
shop: mine
databases:
  - name: orders
    url: {env: ORDERS_URL}
stores:
  disk: {url: "file:backups"}
encryption: {managed: true}
"""


def spec(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "shop.yaml"
    path.write_text(text)
    return path


def test_the_example_shop_loads() -> None:
    shop = read_spec(EXAMPLE_SPEC)
    assert shop.front_door.name == "frontend"
    assert {each.name for each in shop.services} == {"backend", "frontend"}


def test_a_database_and_a_store_are_enough(tmp_path: Path) -> None:
    shop = read_spec(spec(tmp_path, MINIMAL))
    assert shop.services == ()
    assert shop.databases[0].url is not None


@pytest.mark.parametrize(
    ("old", "new", "line", "says"),
    [
        ("shop: mine", "shop: mine\ncolour: red", 2, "colour"),
        ("name: orders", "name: Orders", 3, "a name is 1 to 40"),
        ("url: {env: ORDERS_URL}", "url: postgresql://me:secret@host/db", 4, "valid dictionary"),
        ("url: {env: ORDERS_URL}", "url: {env: A, file: B}", 4, "either {env: NAME} or {file: PATH}"),
        ("url: {env: ORDERS_URL}", "url: {env: A}\n    rpo: soon", 5, "no duration"),
        ("url: {env: ORDERS_URL}", "url: {env: A}\n    rto: 0s", 3, "longer than nothing"),
        ('"file:backups"', '"ftp://host"', 6, "begins with file: or s3://"),
        ("encryption: {managed: true}", "", 1, "encryption"),
        ("shop: mine", "shop: [", 3, "not YAML"),
    ],
)
def test_a_mistake_names_its_line(tmp_path: Path, old: str, new: str, line: int, says: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        read_spec(spec(tmp_path, MINIMAL.replace(old, new)))
    assert f"line {line}" in str(caught.value)
    assert says in str(caught.value)


def test_a_mistake_never_repeats_a_secret_that_was_written_into_the_spec(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError) as caught:
        read_spec(spec(tmp_path, MINIMAL.replace("{env: ORDERS_URL}", "postgresql://me:hunter2@host/db")))
    assert "hunter2" not in str(caught.value)


def test_a_reference_to_something_that_is_not_there_is_refused(tmp_path: Path) -> None:
    text = MINIMAL + "services:\n  - {name: web, front_door: true, environment: {URL: {database: stock}}}\n"
    with pytest.raises(ConfigurationError, match="names the database stock"):
        read_spec(spec(tmp_path, text))


def test_a_missing_file_says_how_to_name_one(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="--spec"):
        read_spec(tmp_path / "nothing.yaml")


def test_settings_refuse_what_they_do_not_know() -> None:
    with pytest.raises(ConfigurationError, match="ECOM_SPECS"):
        read_settings({"ECOM_SPECS": "x"})
    with pytest.raises(ConfigurationError, match="'moon'"):
        read_settings({"ECOM_ENVIRONMENT": "moon"})
    assert read_settings({}).environment == "local"


@pytest.mark.parametrize("path", sorted((ROOT / "specs").glob("*.yaml")), ids=lambda path: path.name)
def test_a_spec_that_is_written_is_the_one_that_was_read(path: Path, tmp_path: Path) -> None:
    shop = read_spec(path)
    (tmp_path / "again.yaml").write_text(write_spec(shop), encoding="utf-8")
    assert read_spec(tmp_path / "again.yaml") == shop


@pytest.mark.parametrize("text", ["90s", "15m", "36h", "30d", "250ms", "1.5s", "0.5ms"])
def test_a_duration_is_written_as_a_person_would(text: str, tmp_path: Path) -> None:
    spec: dict[str, object] = {"shop": "one", "databases": [{"name": "a", "managed": True, "rto": text}]}
    spec |= {"stores": {"local": {"url": "file:b"}}, "encryption": {"managed": True}}
    (tmp_path / "again.yaml").write_text(write_spec(Shop.model_validate(spec)), encoding="utf-8")
    assert read_spec(tmp_path / "again.yaml").databases[0].rto == duration(text)
