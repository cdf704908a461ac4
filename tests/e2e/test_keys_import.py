"""`envoy-bedrock keys import`: LiteLLM's keys, from a real PostgreSQL with LiteLLM's schema."""

import hashlib
import json

import pytest
import requests
import trustme

from gateway import free_port
from litellm_schema import TABLES, columns, definitions
from postgresql import PASSWORD, PostgreSql
from supervised import Supervised, eventually
from test_keys import Keys, ask, status

CONFIG = """
model_list:
  - model_name: claude
    litellm_params: {model: bedrock/anthropic.claude-v2:1, aws_region_name: us-west-2}
  - model_name: nova
    litellm_params: {model: bedrock/us.amazon.nova-lite-v1:0, aws_region_name: us-west-2}
envoy_bedrock:
  keys_file: keys.json
"""
SERVER_NAME = "database.example"
KEY_TABLE = '"LiteLLM_VerificationToken"'
TEAM_TABLE = '"LiteLLM_TeamTable"'
BUDGET_TABLE = '"LiteLLM_BudgetTable"'
ALIAS = 'the "first" app, of two'
NEXT_YEAR = "'2099-01-01 00:00:00'"


def token(key: str) -> str:
    return hashlib.sha256(key.encode()).hexdigest()


def added(table: str, **values) -> str:
    """SQL that adds a row. The values are SQL too."""
    names = ", ".join(f'"{name}"' for name in values)
    return f"INSERT INTO {table} ({names}) VALUES ({', '.join(map(str, values.values()))})"


def key_row(key: str, **values) -> str:
    return added(KEY_TABLE, token=f"'{token(key)}'", **values)


METADATA = {"tags": ["nightly"], "owner": 'Zoë \\ "x"', "logging": [{"api_key": "s3cret"}]}

ROWS = [
    added(
        BUDGET_TABLE,
        budget_id="'slow'",
        rpm_limit=1,
        budget_duration="'30d'",
        created_by="'admin'",
        updated_by="'admin'",
    ),
    added(TEAM_TABLE, team_id="'search'", team_alias="'Search'", models="'{nova}'"),
    added(TEAM_TABLE, team_id="'spent'", max_budget=2, spend=2.5),
    key_row(
        "sk-first",
        key_alias=f"'{ALIAS}'",
        models="'{claude,\"b c\"}'",
        aliases="""'{"fast": "claude"}'""",
        metadata=f"'{json.dumps(METADATA)}'",
        user_id="'somebody'",
        max_budget=5,
        spend=1.25,
        last_active="now()",
    ),
    key_row("sk-blocked", key_alias="'blocked'", blocked="true"),
    key_row("sk-expired", key_alias="'expired'", expires="'2026-01-01 00:00:00.5'"),
    key_row(
        "sk-spent",
        key_alias="'spent'",
        max_budget=5,
        spend=5.5,
        budget_duration="'30d'",
        budget_reset_at=NEXT_YEAR,
    ),
    key_row("sk-afresh", max_budget=5, spend=5.5, budget_duration="'1d'", budget_reset_at="now()"),
    key_row("sk-slow", budget_id="'slow'"),
    key_row("sk-search", team_id="'search'", models="'{all-team-models}'"),
    key_row("sk-of-a-spent-team", team_id="'spent'"),
    key_row("sk-dashboard", team_id="'litellm-dashboard'"),
    added(KEY_TABLE, token="'sk-old-plain'"),
    key_row("sk-odd", key_alias="E'line\\nline 🙂, ' || repeat('x', 300)"),
    key_row("sk-reference", metadata="""'{"tags": ["a"], "note": "os.environ/HOME"}'"""),
]
# What each key gets for a request to claude, and another one.
STATUSES = {
    "sk-first": (200, 200),
    "sk-blocked": (401, 401),
    "sk-expired": (401, 401),
    "sk-spent": (422, 422),
    "sk-afresh": (200, 200),
    "sk-slow": (200, 429),
    "sk-search": (403, 403),
    "sk-of-a-spent-team": (422, 422),
    "sk-dashboard": (401, 401),
    "sk-old-plain": (200, 200),
    "sk-odd": (200, 200),
    "sk-reference": (200, 200),
}


@pytest.fixture(scope="module")
def authority(tmp_path_factory):
    """The CA of the database's certificate, and the file with it."""
    authority = trustme.CA()
    path = tmp_path_factory.mktemp("authority") / "ca.pem"
    authority.cert_pem.write_to_path(path)
    return authority, path


@pytest.fixture(scope="module")
def database(authority, tmp_path_factory):
    folder = tmp_path_factory.mktemp("certificate")
    issued = authority[0].issue_cert(SERVER_NAME)
    issued.cert_chain_pems[0].write_to_path(folder / "chain.pem")
    issued.private_key_pem.write_to_path(folder / "key.pem")
    with PostgreSql((folder / "chain.pem", folder / "key.pem")) as running:
        running.psql(definitions())
        yield running


@pytest.fixture
def rows(database):
    """The database with the usual rows."""
    database.psql(*(f'TRUNCATE "{table}"' for table in TABLES))
    database.psql(*ROWS)
    return database


@pytest.fixture
def keys(tmp_path):
    config = tmp_path / "config.yaml"
    config.write_text(CONFIG)
    return Keys(config)


def key_info(gateway, key):
    headers = {"authorization": f"Bearer {key}"}
    return requests.get(f"{gateway.url}/key/info", headers=headers, timeout=30).json()["info"]


def stored(keys):
    return json.loads((keys.config.parent / "keys.json").read_text())


def exported(database, folder) -> list:
    """Files with the tables, as arguments of the import."""
    paths = [folder / name for name in ("keys.csv", "teams.csv", "budgets.csv")]
    for path, table in zip(paths, (KEY_TABLE, TEAM_TABLE, BUDGET_TABLE), strict=True):
        path.write_text(database.psql(f"\\copy {table} to stdout csv header"))
    return [paths[0], "--teams", paths[1], "--budgets", paths[2]]


def test_applications_keep_their_keys_after_one_import(rows, keys, tmp_path):
    imported = keys.json("import", *exported(rows, tmp_path))
    assert imported["keys"] == {"new": 11, "updated": 0, "unchanged": 0}
    assert imported["teams"] == {"new": 2, "updated": 0, "unchanged": 0}
    assert imported["skipped"]["dashboard_sessions"] == 1
    first = keys.json("info", ALIAS)
    assert first["models"] == ["claude", "b c"] and first["aliases"] == {"fast": "claude"}
    assert first["tags"] == ["nightly"] and first["metadata"] == {"owner": 'Zoë \\ "x"'}
    lost = {loss["setting"]: loss["keys"] for loss in imported["without_equal"]}
    assert lost == {
        "metadata.logging": [ALIAS],
        "models: b c": [ALIAS],
        "user_id": [ALIAS],
    }
    assert "s3cret" not in (tmp_path / "keys.json").read_text()
    with Supervised(config=keys.config) as gateway:
        info = key_info(gateway, "sk-first")
        assert (info["spend"], info["max_budget"]) == (1.25, 5)
        assert {key: (status(gateway, key), status(gateway, key)) for key in STATUSES} == STATUSES
        assert ask(gateway, "sk-search", "nova").status_code == 200
        assert ask(gateway, "sk-first", "fast").status_code == 200
        assert ask(gateway, "sk-first", "nova").status_code == 403
        spent_here = key_info(gateway, "sk-first")["spend"] - 1.25
        assert spent_here > 0
        rows.psql(f"UPDATE {KEY_TABLE} SET spend = 3 WHERE token = '{token('sk-first')}'")
        again = keys.json("import", *exported(rows, tmp_path))
        assert again["keys"] == {"new": 0, "updated": 1, "unchanged": 10}
        eventually(
            lambda: key_info(gateway, "sk-first")["spend"] == pytest.approx(3 + spent_here),
            "what was spent here and in LiteLLM",
        )


def test_json_has_the_same_keys_as_csv(rows, keys, tmp_path):
    keys.run("import", *exported(rows, tmp_path))
    path, teams, budgets = (tmp_path / f"{name}.jsonl" for name in ("keys", "teams", "budgets"))
    for rows_of in ("row_to_json(t)", "json_agg(t)"):
        for file, table in ((path, KEY_TABLE), (teams, TEAM_TABLE), (budgets, BUDGET_TABLE)):
            file.write_text(rows.psql(f"select {rows_of} from {table} t"))
        again = keys.json("import", path, "--teams", teams, "--budgets", budgets)
        assert again["keys"] == {"new": 0, "updated": 0, "unchanged": 11}
        assert again["teams"] == {"new": 0, "updated": 0, "unchanged": 2}


def test_a_database_has_the_same_keys_as_its_files(rows, keys, tmp_path):
    keys.run("import", *exported(rows, tmp_path))
    url = rows.url("?schema=public&connection_limit=5&application_name=same-keys")
    again = keys.json("import", "--database-url", url)
    assert again["keys"] == {"new": 0, "updated": 0, "unchanged": 11}
    assert again["teams"] == {"new": 0, "updated": 0, "unchanged": 2}
    assert again["skipped"]["dashboard_sessions"] == 1


def test_the_database_is_only_read(rows, keys):
    keys.run("import", "--database-url", rows.url("?application_name=read-only"))
    first, *others = rows.statements("read-only")
    assert "READ ONLY" in first and len(others) > 2
    assert {statement.split()[0] for statement in others} <= {"SELECT", "ROLLBACK"}


def test_limits_of_users_and_members_are_found_in_the_database(rows, keys):
    rows.psql(
        added('"LiteLLM_UserTable"', user_id="'free'", user_email="'free@example.com'"),
        added('"LiteLLM_UserTable"', user_id="'limited'", max_budget=3),
        added(BUDGET_TABLE, budget_id="'m'", rpm_limit=1, created_by="'a'", updated_by="'a'"),
        added('"LiteLLM_TeamMembership"', user_id="'member'", team_id="'search'", budget_id="'m'"),
        key_row("sk-free", key_alias="'free'", user_id="'free'"),
        key_row("sk-limited", key_alias="'limited'", user_id="'limited'"),
        key_row("sk-member", key_alias="'member'", user_id="'member'", team_id="'search'"),
        key_row("sk-elsewhere", key_alias="'elsewhere'", user_id="'member'", team_id="'spent'"),
    )
    database = ["--database-url", rows.url()]
    assert "--accept-unprotected team_member_limits,user_limits" in keys.run(
        "import", *database, code=1
    )
    imported = keys.json("import", *database, "--block-unprotected")
    lost = {loss["setting"]: loss["keys"] for loss in imported["without_equal"]}
    assert "user_id" not in lost
    assert (lost["user_limits"], lost["team_member_limits"]) == (["limited"], ["member"])
    blocked = {key.get("key_alias") for key in stored(keys)["keys"] if key.get("blocked")}
    assert blocked == {"blocked", "limited", "member"}


def test_a_key_that_litellm_has_replaced_remains_valid_as_long_as_there(rows, keys):
    def replaced(key, until):
        return added(
            '"LiteLLM_DeprecatedVerificationToken"',
            id=f"'{key}'",
            token=f"'{token(key)}'",
            active_token_id=f"'{token('sk-first')}'",
            revoke_at=until,
        )

    rows.psql(replaced("sk-before", NEXT_YEAR), replaced("sk-long-before", "now()"))
    keys.run("import", "--database-url", rows.url())
    [former] = keys.json("info", ALIAS)["former_tokens"]
    assert former == {"token": token("sk-before"), "valid_until": "2099-01-01T00:00:00.000Z"}


def test_the_url_can_be_in_the_environment(rows, keys, monkeypatch):
    monkeypatch.setenv("LITELLM_DATABASE", rows.url())
    imported = keys.json("import", "--database-url", "os.environ/LITELLM_DATABASE")
    assert imported["keys"]["new"] == 11
    error = keys.run("import", "--database-url", "os.environ/NOT_SET_ANYWHERE", code=1)
    assert "NOT_SET_ANYWHERE is not set" in error


def test_the_tables_can_be_in_another_schema(rows, keys):
    insert = key_row("sk-elsewhere", key_alias="'elsewhere'")
    rows.psql('CREATE SCHEMA "my keys"', f'SET search_path = "my keys"; {definitions()} {insert}')
    imported = keys.json("import", "--database-url", rows.url("?schema=my%20keys"))
    assert imported["keys"]["new"] == 1
    assert keys.json("info", "elsewhere")["token"] == token("sk-elsewhere")


def named(database, parameters):
    """A URL with the name in the database's certificate, which no DNS knows."""
    return database.url(f"?hostaddr=127.0.0.1&{parameters}", host=SERVER_NAME)


def test_sslmode_decides_whether_and_how_the_server_is_verified(rows, keys, authority, ca_file):
    mine, other = f"sslrootcert={authority[1]}", f"sslrootcert={ca_file}"
    accepted = {
        "disable": rows.url("?sslmode=disable"),
        "prefer": rows.url("?sslmode=prefer"),
        "require": rows.url("?sslmode=require"),
        "require-ca": rows.url(f"?sslmode=require&{mine}"),
        "verify-ca": rows.url(f"?sslmode=verify-ca&{mine}"),
        "verify-full": named(rows, f"sslmode=verify-full&{mine}"),
        "strict": named(rows, f"sslaccept=strict&sslcert={authority[1]}"),
    }
    for name, url in accepted.items():
        keys.run("import", "--dry-run", "--database-url", f"{url}&application_name={name}")
        assert rows.uses_tls(name) == (name != "disable"), name
    refused = {
        "not valid for name": rows.url(f"?sslmode=verify-full&{mine}"),
        "UnknownIssuer": rows.url(f"?sslmode=verify-ca&{other}"),
        "invalid peer certificate": rows.url("?sslmode=verify-full"),
        "cannot read": rows.url("?sslmode=verify-full&sslrootcert=/does/not/exist.pem"),
    }
    for reason, url in refused.items():
        error = keys.run("import", "--dry-run", "--database-url", url, code=1)
        assert reason in error and PASSWORD not in error


def test_a_database_that_cannot_be_read_is_named_without_its_password(rows, keys):
    for url, reason in [
        (rows.url(password="wr0ng"), "password authentication failed"),
        (rows.url("?schema=nowhere"), "LiteLLM_VerificationToken"),
        (f"postgresql://postgres:wr0ng@127.0.0.1:{free_port()}/x", "Connection refused"),
        ("mysql://postgres:wr0ng@127.0.0.1/x", "postgresql://USER"),
    ]:
        error = keys.run("import", "--database-url", url, code=1)
        assert reason in error and "wr0ng" not in error and PASSWORD not in error


def test_a_lost_protection_needs_a_decision(rows, keys, tmp_path):
    rows.psql(
        key_row("sk-guarded", key_alias="'guarded'", metadata="""'{"guardrails": ["pii"]}'"""),
        key_row("sk-daily", key_alias="'daily'", tpd_limit=1000),
    )
    files = exported(rows, tmp_path)
    refused = keys.run("import", *files, code=1)
    assert "metadata.guardrails,tpd_limit" in refused and "guarded" in refused
    assert not (tmp_path / "keys.json").exists()
    accepted = ["--accept-unprotected", "metadata.guardrails"]
    assert "tpd_limit" in keys.run("import", *files, *accepted, code=1)
    keys.run("import", *files, *accepted, "--block-unprotected")
    blocked = {key.get("key_alias") for key in stored(keys)["keys"] if key.get("blocked")}
    assert blocked == {"blocked", "daily"}


def test_keys_without_the_tables_of_teams_and_budgets_are_refused(rows, keys, tmp_path):
    only_keys = exported(rows, tmp_path)[0]
    assert "--accept-unprotected budget_id,team_id" in keys.run("import", only_keys, code=1)


def test_a_dry_run_writes_nothing(rows, keys, tmp_path):
    text = keys.run("import", *exported(rows, tmp_path), "--dry-run")
    assert "would import" in text and "11 new" in text
    assert not (tmp_path / "keys.json").exists()


def test_other_files_are_refused(rows, keys, tmp_path):
    files = exported(rows, tmp_path)
    assert "the column token" in keys.run("import", files[2], code=1)
    assert "the column team_id" in keys.run("import", files[0], "--teams", files[0], code=1)
    assert "No such file" in keys.run("import", tmp_path / "nothing.csv", code=1)


# Columns that say how much a key was used, who made it, and the like.
HISTORY = {
    "created_at",
    "created_by",
    "key_name",
    "key_type",
    "last_active",
    "last_rotation_at",
    "model_spend",
    "rotation_count",
    "settings_updated_at",
    "soft_budget_cooldown",
    "total_spend",
    "updated_at",
    "updated_by",
}
SAMPLES = {
    "BIGINT": "7",
    "BOOLEAN": "true",
    "DOUBLE": "7.5",
    "INTEGER": "7",
    "JSONB": """'{"a": 1}'""",
    "TEXT": "'1d'",
    "TEXT[]": "'{a}'",
    "TIMESTAMP(3)": NEXT_YEAR,
}


def test_every_column_of_litellm_is_taken_or_listed(rows, keys, tmp_path):
    """A column that a new version of LiteLLM adds fails this test."""
    defined = columns("LiteLLM_VerificationToken")
    values = {name: SAMPLES[sql.split()[0]] for name, sql in defined.items()}
    taken = {
        "token": f"'{token('sk-all')}'",
        "budget_id": "'slow'",
        "team_id": "'search'",
        "models": "'{claude}'",
        "aliases": '\'{"a": "b"}\'',
    }
    rows.psql(added(KEY_TABLE, **{**values, **taken, "key_alias": "'all'"}))
    imported = keys.json("import", *exported(rows, tmp_path), "--block-unprotected")
    lost = {loss["setting"] for loss in imported["without_equal"] if "all" in loss["keys"]}
    strange = [loss for loss in imported["without_equal"] if "does not know" in loss["meaning"]]
    assert strange == []
    fields = set(keys.json("info", "all")) - {"spend_at"}
    unnamed = set(defined) - lost - fields - HISTORY - {"budget_id"}
    assert unnamed == set(), "neither taken nor listed"
    assert "tpd_limit" in lost and "rpm_limit" in fields
