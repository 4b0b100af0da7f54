"""rig: commands for operators: users, and the import of a database of the original implementation."""

from support.rig import CREDENTIALS, bearer, crypt, error
from support.rig import database, postgres, rig, start_rig  # noqa: F401 (fixtures)

ORIGINAL = """
CREATE TABLE user_accounts (id uuid PRIMARY KEY, username text UNIQUE NOT NULL, email text UNIQUE NOT NULL,
    password text, is_active bool DEFAULT false, created_at timestamptz NOT NULL, updated_at timestamptz);
CREATE TABLE multi_streams (id uuid PRIMARY KEY, stream_key text UNIQUE NOT NULL, is_active bool DEFAULT false,
    is_streaming bool DEFAULT false, user_account_id uuid NOT NULL REFERENCES user_accounts, created_at timestamptz
    NOT NULL, updated_at timestamptz);
CREATE TABLE destinations (id bigserial PRIMARY KEY, service text NOT NULL, stream_key text NOT NULL,
    is_active bool DEFAULT false, multi_stream_id uuid NOT NULL REFERENCES multi_streams);
INSERT INTO user_accounts VALUES
    ('0b9d6c1e-3f52-4a77-9a0e-5c1f7be2d410', 'marit', 'Marit@studio.example', '{hash}', false,
     '2019-05-01 10:11:12.5+00', '2019-06-01 00:00:00+00'),
    ('0b9d6c1e-3f52-4a77-9a0e-5c1f7be2d411', 'other', 'marit@studio.example', '{hash}', false,
     '2019-05-02 00:00:00+00', NULL),
    ('0b9d6c1e-3f52-4a77-9a0e-5c1f7be2d412', 'third', 'no address', NULL, false, '2019-05-03 00:00:00+00', NULL);
INSERT INTO multi_streams VALUES
    ('5f0a1c92-7d34-4be8-b6f1-20c9e4d7a355', 'Qm3vT0xkR4aZ9cLw_hB1uA', true, false,
     '0b9d6c1e-3f52-4a77-9a0e-5c1f7be2d410', '2019-05-01 10:12:00+00', NULL);
INSERT INTO destinations VALUES
    (7, 'Twitch', 'live_31_kexample', true, '5f0a1c92-7d34-4be8-b6f1-20c9e4d7a355'),
    (41, 'YouTube', 'a;exec', true, '5f0a1c92-7d34-4be8-b6f1-20c9e4d7a355');
"""
# Of "correct horse", as golang.org/x/crypto/bcrypt writes it.
HASH_SALT = "$2a$10$N9qo8uLOickgx2ZMRZoMye"


def original_hash():
    return crypt("correct horse", HASH_SALT)


def test_listing_users(rig):
    user, other = rig.user(), rig.user()
    user.stream()
    lines = rig.command("rig", "users", "list").splitlines()
    assert [line.split() for line in lines] == [
        [one.id, "active", count, one.name, f"{one.name}@studio.example"] for one, count in ((user, "1"), (other, "0"))]
    assert rig.command("rig", "users", "deactivate", "nobody", status=1) == "greenroom: no user of this name"
    for words in ([], ["delete", user.name], ["deactivate"]):
        assert "usage" in rig.command("rig", "users", *words, status=2)


def test_setting_a_password(rig, database):
    user = rig.user()
    rig.command("rig", "users", "passwd", user.name, input="better horse\n")
    assert error(user.get("/streams")) == CREDENTIALS
    assert user.login("better horse")
    assert "8 characters" in rig.command("rig", "users", "passwd", user.name, input="short\n", status=1)
    assert "no password" in rig.command("rig", "users", "passwd", user.name, input="", status=1)
    rig.command("rig", "users", "passwd", "nobody", input="better horse\n", status=1)
    assert "password set by operator" in database.query("SELECT what FROM rig_audit")


def import_from(rig, source, status=0):
    """The URL goes through the environment, because its password must not be seen in the list of processes."""
    rig.env["RIG_IMPORT_URL"] = source
    try:
        return rig.command("rig", "import", status=status)
    finally:
        del rig.env["RIG_IMPORT_URL"]


def test_importing_an_original(postgres, rig, database):
    source = postgres.new_database()
    postgres.query(ORIGINAL.replace("{hash}", original_hash()), source)
    out = import_from(rig, source)
    assert out.splitlines() == ["users: 3 read, 3 added, 0 already there, 2 reported",
                                "streams: 1 read, 1 added, 0 already there, 0 reported",
                                "destinations: 2 read, 2 added, 0 already there, 1 reported"]
    login = rig.post("/accounts/auth/local", {"username": "marit", "password": "correct horse"})
    token = login.json["payload"]["token"]
    detail = rig.get("/streams/5f0a1c92-7d34-4be8-b6f1-20c9e4d7a355", headers=bearer(token)).json["payload"]
    assert detail["streamKey"] == "Qm3vT0xkR4aZ9cLw_hB1uA" and detail["isActive"] is True
    assert detail["destinations"] == [
        {"id": 7, "service": "Twitch", "streamKey": "live_31_kexample",
         "rtmpUrl": "rtmp://live.twitch.tv/app/live_31_kexample", "isActive": True},
        {"id": 41, "service": "YouTube", "streamKey": "a;exec", "rtmpUrl": None, "isActive": False}]
    made = rig.post(f"/streams/{detail['id']}/destination", {"service": "Twitch", "streamKey": "key"},
                    headers=bearer(token))
    assert made.json["payload"]["id"] == 42
    times = "SELECT created_at_ms, updated_at_ms FROM rig_users WHERE username = 'marit'"
    assert database.query(times) == "1556705472500|1559347200000"
    # A second import overwrites nothing that has changed here meanwhile.
    postgres.query("INSERT INTO destinations VALUES (50, 'Twitch', 'late', true,"
                   " '5f0a1c92-7d34-4be8-b6f1-20c9e4d7a355')", source)
    out = import_from(rig, source)
    assert "destinations: 3 read, 1 added, 2 already there" in out
    made = rig.post(f"/streams/{detail['id']}/destination", {"service": "Twitch", "streamKey": "key"},
                    headers=bearer(token))
    assert made.json["payload"]["id"] == 51


def test_an_import_that_cannot_be_done(postgres, rig):
    assert "usage" in rig.command("rig", "import", status=2)
    assert "cannot connect" in rig.command("rig", "import", "postgres://u@127.0.0.1:1/x", status=1)
    secret = "hunter2"
    for url in (f"postgres://u:{secret}@127.0.0.1:1/x", f"postgres://u:pa@{secret}@127.0.0.1:1/x",
                f"postgres://u@127.0.0.1:1/x?password={secret}"):
        said = rig.command("rig", "import", url, status=2)
        assert "set RIG_IMPORT_URL" in said and secret not in said
        said = import_from(rig, url, status=1)
        assert "cannot connect" in said and secret not in said
    assert "cannot read the users" in import_from(rig, postgres.new_database(), status=1)


def test_an_import_of_many_rows(postgres, rig):
    source = postgres.new_database()
    postgres.query(ORIGINAL.split("INSERT")[0] + """
        INSERT INTO user_accounts SELECT gen_random_uuid(), 'user' || i, 'user' || i || '@studio.example', NULL, false,
            now(), NULL FROM generate_series(1, 1700) i;
        INSERT INTO multi_streams SELECT gen_random_uuid(), 'key' || username, true, false, id, now(), NULL
            FROM user_accounts;""", source)
    out = import_from(rig, source)
    assert "users: 1700 read, 1700 added" in out and "streams: 1700 read, 1700 added" in out
    assert len(rig.command("rig", "users", "list").splitlines()) == 1700
