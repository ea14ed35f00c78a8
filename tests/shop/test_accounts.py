"""Sign-up, login, session, logout."""

from __future__ import annotations

import hashlib
from concurrent.futures import ThreadPoolExecutor

import httpx
import psycopg
import pytest

from tests.shop.programs import Program
from tests.shop.server import ShopDatabase

ADA = {"email": "Ada@example.org", "password": "correct horse", "name": "Ada Adler"}


@pytest.fixture(scope="module")
def ada(backend: Program) -> dict[str, str]:
    answer = httpx.post(backend.url + "/api/signup", json=ADA)
    assert answer.status_code == 201
    found: dict[str, str] = answer.json()
    return found


def test_sign_up_opens_a_session_by_cookie_and_by_token(visitor: httpx.Client) -> None:
    person = {"email": "cookie@example.org", "password": "correct horse", "name": "Cookie"}
    answer = visitor.post("/api/signup", json=person)
    assert answer.status_code == 201
    assert set(answer.json()) == {"customer_id", "token"}
    cookie = answer.headers["set-cookie"]
    assert "HttpOnly" in cookie
    assert "samesite=lax" in cookie.lower()
    by_cookie = visitor.get("/api/session")
    assert by_cookie.json() == {"customer_id": answer.json()["customer_id"], "email": person["email"], "name": "Cookie"}
    visitor.cookies.clear()
    by_token = visitor.get("/api/session", headers={"Authorization": f"Bearer {answer.json()['token']}"})
    assert by_token.json() == by_cookie.json()


def test_the_cookie_is_for_https_only_when_people_came_by_https(visitor: httpx.Client, ada: dict[str, str]) -> None:
    login = {"email": ADA["email"], "password": ADA["password"]}
    plain = visitor.post("/api/login", json=login).headers["set-cookie"]
    safe = visitor.post("/api/login", json=login, headers={"X-Forwarded-Proto": "https"}).headers["set-cookie"]
    assert "secure" not in plain.lower()
    assert "secure" in safe.lower()


def test_login_takes_the_email_in_any_case(visitor: httpx.Client, ada: dict[str, str]) -> None:
    answer = visitor.post("/api/login", json={"email": "ADA@EXAMPLE.ORG", "password": ADA["password"]})
    assert (answer.status_code, answer.json()["customer_id"]) == (200, ada["customer_id"])


@pytest.mark.parametrize("email", ["ada@example.org", "nobody@example.org", "customer1@example.com"])
def test_a_wrong_password_a_stranger_and_a_seeded_customer_get_the_same_answer(
    visitor: httpx.Client, ada: dict[str, str], email: str
) -> None:
    answer = visitor.post("/api/login", json={"email": email, "password": "wrong password"})
    assert answer.status_code == 401
    assert answer.json()["error"] == {"code": "wrong_login", "message": "email or password is wrong"}


def test_an_email_is_taken_in_any_case_and_by_one_of_many_at_once(backend: Program) -> None:
    def attempt(number: int) -> int:
        email = "Race@example.org" if number % 2 else "race@example.org"
        return httpx.post(backend.url + "/api/signup", json={**ADA, "email": email}, timeout=20).status_code

    with ThreadPoolExecutor(8) as threads:
        assert sorted(threads.map(attempt, range(8))) == [201] + [409] * 7


def test_logout_ends_the_session_everywhere(visitor: httpx.Client, ada: dict[str, str]) -> None:
    token = visitor.post("/api/login", json={"email": ADA["email"], "password": ADA["password"]}).json()["token"]
    header = {"Authorization": f"Bearer {token}"}
    assert visitor.post("/api/logout").status_code == 204
    assert visitor.get("/api/session", headers=header).status_code == 401
    assert visitor.get("/api/session").status_code == 401
    assert visitor.post("/api/logout").status_code == 204


def test_an_expired_session_is_no_session_and_the_next_login_removes_it(
    visitor: httpx.Client, ada: dict[str, str], database: ShopDatabase
) -> None:
    login = {"email": ADA["email"], "password": ADA["password"]}
    token = visitor.post("/api/login", json=login).json()["token"]
    digest = hashlib.sha256(token.encode()).digest()
    with psycopg.connect(database.owner_url) as connection:
        connection.execute("UPDATE sessions SET expires_at = now() WHERE token_hash = %s", (digest,))
    assert visitor.get("/api/session").status_code == 401
    visitor.post("/api/login", json=login)
    with psycopg.connect(database.owner_url) as connection:
        left = connection.execute("SELECT count(*) FROM sessions WHERE token_hash = %s", (digest,)).fetchone()
    assert left == (0,)


def test_the_database_holds_neither_password_nor_token(ada: dict[str, str], database: ShopDatabase) -> None:
    with psycopg.connect(database.owner_url) as connection:
        stored = connection.execute(
            "SELECT password_hash FROM customers WHERE id = %s", (ada["customer_id"],)
        ).fetchone()
        plain = connection.execute(
            "SELECT count(*) FROM sessions WHERE encode(token_hash, 'escape') = %s", (ada["token"],)
        ).fetchone()
    assert stored is not None
    assert stored[0].startswith("$argon2id$v=19$m=19456,t=2,p=1$")
    assert plain == (0,)
