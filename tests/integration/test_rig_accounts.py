"""rig: accounts, tokens, invites, on both stores."""

import hashlib
import pathlib
import re
import uuid

import pytest

from support.rig import (BROKEN_BODY, CREDENTIALS, MEDIA_TYPE, METHOD, NO_TOKEN, NOT_FOUND, USERS_KEY, bearer,
                         claims_of, crypt, error, invalid, jwt, missing, payload, user_claims)
from support.rig import database, postgres, rig, start_rig  # noqa: F401 (fixtures)
from support.upstream import forged

GOOD = {"username": "marit", "password": "correct horse", "email": "marit@studio.example"}
TAKEN = (400, 1006, "Cannot create user account.", None)
CREATE = "/accounts/"
LOGIN = "/accounts/auth/local"
PASSWORD = "/accounts/password"
INVITE = "/accounts/invite"
VERIFY = "/accounts/invite/verify"


def without(body, *names):
    return {name: value for name, value in body.items() if name not in names}


# --- every route ---


def test_the_documented_examples(rig):
    made = payload(rig.post(CREATE, GOOD), "User created")
    assert set(made) == {"userID", "username", "email"}
    assert str(uuid.UUID(made["userID"], version=4)) == made["userID"]
    assert (made["username"], made["email"]) == ("marit", "marit@studio.example")
    login = payload(rig.post(LOGIN, without(GOOD, "email")), "Authentication successful")
    assert set(login) == {"username", "token"} and login["username"] == "marit"
    changed = rig.post(PASSWORD, {"oldPassword": "correct horse", "newPassword": "better horse"},
                       headers=bearer(login["token"]))
    assert payload(changed, "User password changed") == {"username": "marit"}


def test_both_spellings_of_a_path(rig):
    assert rig.post("/accounts", GOOD).status == 200
    assert rig.post(LOGIN + "/", without(GOOD, "email")).status == 200


def test_unknown_methods_and_types(rig):
    for path in (CREATE, LOGIN, PASSWORD, INVITE, VERIFY):
        answer = rig.request("PUT", path)
        assert error(answer) == METHOD and "POST" in answer.header("Allow")
        assert error(rig.post(path, b"{}", headers={"Content-Type": "text/plain"})) == MEDIA_TYPE
        assert error(rig.post(path)) == MEDIA_TYPE
        assert error(rig.get(path + "/nothing")) == NOT_FOUND


def test_paths_are_case_sensitive(rig):
    assert error(rig.post("/accounts/Auth/local", GOOD)) == NOT_FOUND


def test_other_spellings_of_the_content_type(rig):
    answer = rig.post(CREATE, GOOD, headers={"Content-Type": "Application/JSON; charset=utf-8"})
    assert answer.status == 200


def test_a_body_that_is_no_object(rig):
    for body in (b"", b"nothing", b"[]", b"null", b'"x"', b'{"username":"marit"} x', b'{"username":', b'{"a":"\xff"}'):
        assert error(rig.post(CREATE, body)) == BROKEN_BODY, body


def test_a_large_body(rig):
    answer = rig.post(CREATE, {**GOOD, "more": "x" * 70000})
    assert error(answer)[:2] == (413, 1005)


def test_a_nul_in_a_member(rig):
    assert error(rig.post(CREATE, b'{"username":"mar\\u0000it","password":"correct horse","email":"a@b.example"}'))[
        :2] == (400, 1005)


WRONG = [
    ({"username": "ma"}, invalid(Username="less than min")),
    ({"username": "m" * 65}, invalid(Username="greater than max")),
    ({"username": "é" * 65}, invalid(Username="greater than max")),
    ({"username": "éé"}, invalid(Username="less than min")),
    ({"username": 5}, invalid(Username="wrong type")),
    ({"username": "ma\x01rit"}, invalid(Username="invalid characters")),
    ({"password": "1234567"}, invalid(Password="less than min")),
    ({"password": "x" * 513}, invalid(Password="greater than max")),
    ({"email": "marit"}, invalid(Email="invalid format")),
    ({"email": "marit@studio"}, invalid(Email="invalid format")),
    ({"email": "marit@-studio.example"}, invalid(Email="invalid format")),
    ({"email": "ma rit@studio.example"}, invalid(Email="invalid format")),
    ({"email": "marit@a@studio.example"}, invalid(Email="invalid format")),
    ({"email": "m" * 50 + "@studio.example"}, invalid(Email="greater than max")),
    ({"username": "ma", "password": "1"}, invalid(Username="less than min", Password="less than min")),
    ({"username": None}, missing("Username")),
    ({"password": "correct\x07horse"}, invalid(Password="invalid characters")),
    ({"username": None, "password": "1"}, missing("Username")),
]


def test_bounds_of_a_new_account(rig):
    for change, wanted in WRONG:
        assert error(rig.post(CREATE, {**GOOD, **change})) == wanted, change


def test_bounds_are_inclusive(rig):
    for i, change in enumerate([{"username": "abc"}, {"username": "é" * 64}, {"password": "12345678"},
                                {"password": "x" * 512}]):
        assert rig.post(CREATE, {"username": f"user{i}", "password": "correct horse", "email": f"u{i}@b.example",
                                 **change}).status == 200, change


def test_missing_members(rig):
    assert error(rig.post(CREATE, {})) == missing("Username", "Password", "Email")
    assert error(rig.post(LOGIN, {"username": "marit"})) == missing("Password")
    assert error(rig.post(VERIFY, {})) == missing("Email", "InviteToken")
    assert error(rig.post(CREATE, {**without(GOOD, "username"), "USERNAME": "marit"})) == missing("Username")


def test_a_name_or_address_that_is_taken(rig):
    assert rig.post(CREATE, GOOD).status == 200
    assert error(rig.post(CREATE, {**GOOD, "email": "other@studio.example"})) == TAKEN
    assert error(rig.post(CREATE, {**GOOD, "username": "other"})) == TAKEN
    assert error(rig.post(CREATE, {**GOOD, "username": "other", "email": "MARIT@Studio.example"})) == TAKEN
    assert rig.post(CREATE, {**GOOD, "username": "Marit", "email": "b@studio.example"}).status == 200


# --- login and passwords ---


def test_login_says_nothing_about_names(rig):
    user = rig.user()
    wrong = rig.post(LOGIN, {"username": user.name, "password": "wrong horse"})
    unknown = rig.post(LOGIN, {"username": "nobody at all", "password": "wrong horse"})
    assert error(wrong) == error(unknown) == CREDENTIALS
    assert wrong.header("WWW-Authenticate") == "Bearer"
    assert error(rig.post(LOGIN, {"username": "ma", "password": "correct horse"})) == invalid(Username="less than min")


def processor_ticks(process):
    """The processor time that the threads of a process have used, in the unit of /proc."""
    fields = pathlib.Path(f"/proc/{process.pid}/stat").read_text().rpartition(")")[2].split()
    return int(fields[11]) + int(fields[12])


def test_login_does_the_same_work_for_an_unknown_name(rig):
    """A hash takes ten times the work of all the rest. What other processes do makes neither number larger or smaller."""
    def work(name):
        before = processor_ticks(rig.process)
        for _ in range(8):
            assert error(rig.post(LOGIN, {"username": name, "password": "wrong horse"})) == CREDENTIALS
        return processor_ticks(rig.process) - before

    known, unknown = work(rig.user().name), work("nobody")
    print(known, unknown)
    assert known / 3 < unknown < known * 3


def test_every_byte_of_a_password_counts(rig):
    for password in ("x" * 72, "x" * 73, "x" * 512, "é" * 40, "a b c d e f"):
        user = rig.user(password)
        for wrong in (password[:-1] + "y", password + "x"):
            assert error(rig.post(LOGIN, {"username": user.name, "password": wrong})) == CREDENTIALS, password


def test_passwords_are_hashed_and_renewed(rig, database):
    user = rig.user()
    read = f"SELECT password FROM rig_users WHERE id = '{user.id}'"
    assert database.query(read).startswith("$2b$10$")
    # A hash of the original implementation: $2a$, and cheaper.
    old = crypt("correct horse", "$2a$04$5VRhJqGJWAJ5QKP4Swh5S.")
    database.query(f"UPDATE rig_users SET password = '{old}' WHERE id = '{user.id}'")
    user.login()
    assert database.query(read).startswith("$2b$10$")


def test_a_password_change_ends_other_tokens(rig):
    user = rig.user()
    stolen = user.login()
    assert user.get("/streams").status == 200
    body = {"oldPassword": user.password, "newPassword": "better horse"}
    assert payload(user.post(PASSWORD, body), "User password changed") == {"username": user.name}
    assert error(rig.get("/streams", headers=bearer(stolen))) == CREDENTIALS
    assert error(user.get("/streams")) == CREDENTIALS
    user.token = user.login("better horse")
    assert user.get("/streams").status == 200
    assert error(rig.post(LOGIN, {"username": user.name, "password": user.password})) == CREDENTIALS


def test_a_wrong_old_password(rig):
    user = rig.user()
    answer = user.post(PASSWORD, {"oldPassword": "wrong horse", "newPassword": "better horse"})
    assert error(answer) == (400, 1007, "Cannot update user password", None)
    assert user.get("/streams").status == 200
    assert error(user.post(PASSWORD, {"oldPassword": "x"})) == missing("NewPassword")
    assert error(user.post(PASSWORD, {"oldPassword": "x", "newPassword": "y"})) == invalid(
        OldPassword="less than min", NewPassword="less than min")
    same = {"oldPassword": user.password, "newPassword": user.password}
    assert user.post(PASSWORD, same).status == 200


def test_logging_out_everywhere(rig):
    user = rig.user()
    assert payload(user.post("/accounts/logout-all"), "Logged out everywhere") is None
    assert error(user.get("/streams")) == CREDENTIALS
    assert user.login()


def test_leaving(rig):
    user = rig.user()
    stream = user.stream()
    user.destination(stream)
    assert error(user.request("DELETE", "/accounts/", {"password": "wrong horse"}))[:2] == (400, 1007)
    rig.notify("on_publish", stream["streamKey"])
    assert error(user.request("DELETE", "/accounts/", {"password": user.password}))[:2] == (409, 1009)
    rig.notify("on_publish_done", stream["streamKey"])
    gone = user.request("DELETE", "/accounts/", {"password": user.password})
    assert payload(gone, "User removed") is None
    assert error(user.get("/streams")) == CREDENTIALS
    assert error(rig.post(LOGIN, {"username": user.name, "password": user.password})) == CREDENTIALS


# --- tokens ---


def test_claims_of_a_login(rig):
    user = rig.user()
    claims = claims_of(user.token)
    assert claims["ist"] == "user" and claims["iss"] == user.id and claims["sub"] == user.name
    assert claims["aud"] == "rig.xplex.me" and claims["exp"] - claims["iat"] == 28 * 24 * 3600
    assert user.login() != user.login()


def test_a_token_of_an_earlier_rig_counts(rig):
    user = rig.user()
    answer = rig.get("/streams", headers=bearer(jwt(user_claims(user), USERS_KEY)))
    assert answer.status == 200
    assert rig.get("/streams", headers=bearer(jwt(user_claims(user, aud=["x", "rig.xplex.me"]), USERS_KEY))).status == 200
    assert rig.get("/streams", headers={"Authorization": f"bearer {user.token}"}).status == 200


def test_no_usable_header(rig):
    for value in (None, "", "Basic abc", "Bearer", "Bearer ", "Bearer  x", "x"):
        answer = rig.get("/streams", headers={} if value is None else {"Authorization": value})
        assert error(answer) == NO_TOKEN, value
        assert answer.header("WWW-Authenticate") == "Bearer"


WRONG_CLAIMS = [
    {"ist": "invite"}, {"ist": None}, {"ist": 5}, {"aud": None}, {"aud": "other"}, {"exp": 1}, {"exp": None},
    {"nbf": 99999999999}, {"iat": 99999999999}, {"iss": "nobody"}, {"iss": None},
    {"iss": "00000000-0000-4000-8000-000000000000"}, {"gen": 1},
]


def test_wrong_claims(rig):
    user = rig.user()
    for change in WRONG_CLAIMS:
        token = jwt(user_claims(user, **change), USERS_KEY)
        assert error(rig.get("/streams", headers=bearer(token))) == CREDENTIALS, change


def test_wrong_tokens(rig):
    user = rig.user()
    claims = user_claims(user)
    good = jwt(claims, USERS_KEY)
    tokens = ["abc", "a.b.c", good + "x", forged(good), jwt(claims, "another key"), rig.agent(),
              jwt(claims, USERS_KEY, {"alg": "HS512"}, hashlib.sha512), jwt(claims, USERS_KEY, {"alg": "none"}),
              jwt(claims, USERS_KEY, {"kid": "nobody's"}), good.rsplit(".", 1)[0] + "."]
    for token in tokens:
        assert error(rig.get("/streams", headers=bearer(token))) == CREDENTIALS, token


def test_open_routes_ignore_the_header(rig):
    assert rig.post(CREATE, GOOD, headers={"Authorization": "Bearer broken"}).status == 200


def test_keys_can_be_exchanged(database, start_rig):
    before = start_rig(database)
    user = before.user()
    before.stop()
    key = "another-key-of-the-tests-0123456789abcdef"
    during = start_rig(database, {name: {"users_key_previous": USERS_KEY} for name in ("accounts", "streams")},
                       env={"RIG_USERS_KEY": key})
    assert during.get("/streams", headers=bearer(user.token)).status == 200
    user.rig = during
    newer = user.login()
    during.stop()
    after = start_rig(database, env={"RIG_USERS_KEY": key})
    assert error(after.get("/streams", headers=bearer(user.token))) == CREDENTIALS
    assert after.get("/streams", headers=bearer(newer)).status == 200


@pytest.mark.parametrize("length, told", [(1, True), (31, True), (32, False)])
def test_a_key_that_can_be_guessed_is_told(database, start_rig, length, told):
    rig = start_rig(database, env={"RIG_USERS_KEY": "k" * length})
    assert ("users_key is short" in rig.log) == told


def test_made_keys_stay(database, start_rig, tmp_path):
    rig = start_rig(database, keys=False)
    user = rig.user()
    assert re.search(r"users_key is not set.*state/rig-users\.key", rig.log)
    assert (rig.directory / "state" / "rig-users.key").stat().st_mode & 0o777 == 0o600
    rig.stop()
    rig.start()
    assert user.get("/streams").status == 200
    key = (rig.directory / "state" / "rig-users.key").read_text().strip()
    assert key not in rig.log and user.token not in rig.log


# --- invites ---


def test_an_invite(rig):
    user = rig.user()
    made = payload(user.post(INVITE, {"email": "guest@studio.example"}), "Invite created")
    assert set(made) == {"email", "token"} and made["email"] == "guest@studio.example"
    claims = claims_of(made["token"])
    assert (claims["ist"], claims["iss"], claims["sub"]) == ("invite", user.id, "guest@studio.example")
    assert claims["exp"] - claims["iat"] == 14 * 24 * 3600
    body = {"email": "guest@studio.example", "inviteToken": made["token"]}
    for _ in range(2):
        assert payload(rig.post(VERIFY, body), "Invite verified.") == {"email": "guest@studio.example"}
    refused = (400, 1005, "Error verifying invite token", None)
    assert error(rig.post(VERIFY, {**body, "email": "Guest@studio.example"})) == refused
    assert error(rig.post(VERIFY, {**body, "inviteToken": "broken"})) == refused
    assert error(rig.post(VERIFY, {**body, "inviteToken": user.token})) == refused
    assert error(rig.post(VERIFY, {"email": "", "inviteToken": ""})) == invalid(Email="zero value",
                                                                              InviteToken="zero value")
    assert error(rig.get("/streams", headers=bearer(made["token"]))) == CREDENTIALS
    assert error(rig.post(INVITE, {"email": "guest@studio.example"})) == NO_TOKEN


def test_no_invite_for_whoever_is_there(rig):
    user = rig.user()
    wanted = (400, 1006, "Email is already registered", None)
    assert error(user.post(INVITE, {"email": f"{user.name}@studio.example"})) == wanted
    assert error(user.post(INVITE, {"email": f"{user.name.upper()}@studio.example"})) == wanted
    assert error(user.post(INVITE, {"email": user.name})) == invalid(Email="invalid format")


def test_registration_by_invite(database, start_rig):
    opened = start_rig(database)
    user = opened.user()
    token = payload(user.post(INVITE, {"email": GOOD["email"]}), "Invite created")["token"]
    opened.stop()
    rig = start_rig(database, {"accounts": {"registration": "invite"}})
    refused = (400, 1005, "Error verifying invite token", None)
    assert error(rig.post(CREATE, GOOD)) == refused
    assert error(rig.post(CREATE, {**GOOD, "inviteToken": token, "email": "other@studio.example"})) == refused
    # A refusal because the name is taken does not use up the invite.
    assert error(rig.post(CREATE, {**GOOD, "inviteToken": token, "username": user.name})) == TAKEN
    assert rig.post(CREATE, {**GOOD, "inviteToken": token}).status == 200
    assert error(rig.post(CREATE, {**GOOD, "inviteToken": token, "username": "another"})) == refused


def test_closed_registration(database, start_rig):
    rig = start_rig(database, {"accounts": {"registration": "closed"}})
    assert error(rig.post(CREATE, GOOD)) == TAKEN


# --- limits ---


def test_login_is_throttled(database, start_rig):
    rig = start_rig(database, {"accounts": {"login_pair_max": 3, "login_user_max": 20, "login_address_max": 100}})
    user = rig.user()
    for _ in range(2):
        for _ in range(2):
            assert error(rig.post(LOGIN, {"username": user.name, "password": "wrong horse"})) == CREDENTIALS
        user.login()  # resets the count of this name and address
    for name in (user.name, "nobody"):
        for _ in range(3):
            assert error(rig.post(LOGIN, {"username": name, "password": "wrong horse"})) == CREDENTIALS
        answer = rig.post(LOGIN, {"username": name, "password": user.password})
        status, code, message, details = error(answer)
        assert (status, code, message) == (429, 1010, "Too many requests")
        assert details == {"retryAfter": int(answer.header("Retry-After"))}
        assert 0 < details["retryAfter"] <= 15 * 60
    assert rig.user().login()


def test_addresses_and_names_are_throttled(database, start_rig):
    rig = start_rig(database, {"accounts": {"login_pair_max": 0, "login_user_max": 2, "login_address_max": 5,
                                            "register_address_max": 2}})
    for name, count in (("one", 2), ("two", 2)):
        for _ in range(count):
            assert error(rig.post(LOGIN, {"username": name, "password": "wrong horse"})) == CREDENTIALS
        assert error(rig.post(LOGIN, {"username": name, "password": "wrong horse"}))[1] == 1010
    # A refusal because of the name does not count for the address.
    assert error(rig.post(LOGIN, {"username": "three", "password": "wrong horse"})) == CREDENTIALS
    assert error(rig.post(LOGIN, {"username": "four", "password": "wrong horse"}))[1] == 1010
    for i in range(2):
        assert rig.post(CREATE, {**GOOD, "username": f"u{i}x", "email": f"u{i}@b.example"}).status == 200
    assert error(rig.post(CREATE, GOOD))[:2] == (429, 1010)


def test_nobody_can_keep_the_owner_of_a_name_out(database, start_rig):
    """After failures from other addresses, an address without failures still has one attempt at a time."""
    rig = start_rig(database, {"accounts": {"login_pair_max": 3, "login_user_max": 4, "login_address_max": 100}})
    user = rig.user()

    def login(source, password="wrong horse"):
        return rig.post(LOGIN, {"username": user.name, "password": password}, source=source)

    for source in ["127.0.0.2"] * 3 + ["127.0.0.3"]:
        assert error(login(source)) == CREDENTIALS
    # The name is over its limit. From addresses that failed before, even the right password has to wait.
    for source in ("127.0.0.2", "127.0.0.3"):
        assert error(login(source, user.password))[1] == 1010
    # The owner logs in several times from an address without failures.
    for _ in range(5):
        assert login("127.0.0.1", user.password).status == 200
    # A wrong guess uses up the one attempt.
    assert error(login("127.0.0.4")) == CREDENTIALS
    assert error(login("127.0.0.4", user.password))[1] == 1010


def test_a_long_name_is_cut_where_it_is_written_down(rig, database):
    for name in ("x" * 60000, "é" * 200 + "x"):
        assert error(rig.post(LOGIN, {"username": name, "password": "wrong horse"})) == CREDENTIALS
    rows = database.query("SELECT target FROM rig_audit WHERE what = 'login' ORDER BY at_ms").splitlines()
    assert rows == ["x" * 256, "é" * 128]


def test_invites_and_old_passwords_are_throttled(database, start_rig):
    rig = start_rig(database, {"accounts": {"login_pair_max": 2, "invite_user_max": 2}})
    user = rig.user()
    for i in range(2):
        assert user.post(INVITE, {"email": f"guest{i}@studio.example"}).status == 200
        assert error(user.post(PASSWORD, {"oldPassword": "wrong horse", "newPassword": "better horse"}))[1] == 1007
    assert error(user.post(INVITE, {"email": "guest@studio.example"}))[:2] == (429, 1010)
    assert error(user.post(PASSWORD, {"oldPassword": user.password, "newPassword": "better horse"}))[1] == 1010


def test_common_passwords(database, start_rig, tmp_path):
    (tmp_path / "common").write_text("password1\nqwertyuiop\n12345678\n")
    rig = start_rig(database, {"accounts": {"common_passwords": str(tmp_path / "common")}})
    for password in ("password1", "qwertyuiop", "12345678"):
        assert error(rig.post(CREATE, {**GOOD, "password": password})) == invalid(Password="too common")
    assert rig.post(CREATE, GOOD).status == 200


# --- traces ---


def test_what_is_written_down(rig, database):
    user = rig.user()
    rig.post(LOGIN, {"username": user.name, "password": "wrong horse"})
    rows = database.query("SELECT what, outcome, address FROM rig_audit ORDER BY at_ms").splitlines()
    assert rows == ["account created|ok|127.0.0.1", "login|ok|127.0.0.1", "login|refused|127.0.0.1"]
    for secret in (user.password, "wrong horse", user.token):
        assert secret not in rig.log
        assert secret not in database.query("SELECT * FROM rig_audit")
