"""The configuration through the API, and what its items do."""

import pytest

from shared.secrets import Sealer, Secret
from tests.integration.core.people import ADMIN, Api, code, sentence


def test_a_secret_is_sealed_and_never_shown(api: Api) -> None:
    before = api.get("/configurations").json
    assert not {key for key in before if key.endswith(("_password", "_secret"))}
    body = {"ldap_search_password": "canary-secret", "ldap_search_dn": "cn=reader"}
    assert api.send("PUT", "/configurations", ADMIN, body).status_code == 200
    shown = api.get("/configurations")
    assert shown.json["ldap_search_dn"] == {"value": "cn=reader", "editable": True}
    assert "canary" not in shown.text
    assert api.get("/internalconfig").json | {"scan_all_policy": {"type": "none"}} == shown.json
    with api.database.superuser() as connection:
        row = connection.execute("SELECT value FROM core.configuration WHERE key = 'ldap_search_password'").fetchone()
    assert row
    assert "canary" not in str(row)
    key = (api.database.server.home / "secrets" / "config-key").read_text().strip()
    assert Sealer([Secret(key)]).open(row[0]["sealed"]).reveal() == "canary-secret"
    event = api.events("configuration.updated")[-1]
    assert event["data"]["changed"] == ["ldap_search_dn", "ldap_search_password"]
    assert "canary" not in str(event)


@pytest.mark.parametrize(
    "wrong",
    [{"read_only": "yes"}, {"auth_mode": "magic"}, {"storage_per_project": 1.5}, {"ldap_scope": 9},
     {"oidc_endpoint": "https://example.test"}, {"token_expiration": 30}, {"banner_message": "plain"}],
)  # fmt: skip
def test_of_several_items_all_are_set_or_none(api: Api, wrong: dict[str, object]) -> None:
    answer = api.send("PUT", "/configurations", ADMIN, {"ldap_base_dn": "dc=half-done", **wrong})
    assert (answer.status_code, code(answer)) == (400, "BAD_REQUEST")
    assert sentence(answer).startswith(next(iter(wrong)))
    assert api.get("/configurations").json["ldap_base_dn"]["value"] == ""


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("ldap_filter", "("), ("ldap_filter", "(uid=*"), ("ldap_filter", "(a=*)(uid=*)"), ("ldap_filter", "()"),
        ("ldap_group_search_filter", "(&"), ("ldap_base_dn", "nonsense"), ("ldap_url", "ldap://"),
        ("ldap_url", "ldap://a,ldaps://"), ("ldap_url", "ldap://a:0"), ("ldap_url", "ldap://a:port"),
    ],
)  # fmt: skip
def test_a_directory_that_cannot_be_asked_is_not_configured(api: Api, name: str, value: str) -> None:
    before = api.get("/configurations").json[name]["value"]
    answer = api.send("PUT", "/configurations", ADMIN, {name: value})
    assert (answer.status_code, code(answer)) == (400, "BAD_REQUEST")
    assert sentence(answer).startswith(f"{name} must ")
    assert api.get("/configurations").json[name]["value"] == before


@pytest.mark.parametrize("value", ["(objectClass=person)", "objectClass=person", "(&(a=b)(!(c=\\28d\\29)))", ""])
def test_a_filter_of_a_directory_may_leave_its_brackets_out(api: Api, value: str) -> None:
    assert api.send("PUT", "/configurations", ADMIN, {"ldap_filter": value}).status_code == 200


@pytest.mark.parametrize("body", ["[]", '"x"', "5"])
def test_a_body_that_is_no_object_is_refused(api: Api, body: str) -> None:
    assert api.send("PUT", "/configurations", ADMIN, body).status_code == 400


def test_unknown_items_are_passed_over_and_nulls_change_nothing(api: Api) -> None:
    before = len(api.events("configuration.updated"))
    body = {"no_such_item": 1, "ldap_uid": None, "read_only": False}
    assert api.send("PUT", "/configurations", ADMIN, body).status_code == 200
    assert len(api.events("configuration.updated")) == before


def test_the_lifetime_of_tokens_is_shown_and_set_where_the_instance_is_started(api: Api) -> None:
    assert api.get("/configurations").json["token_expiration"] == {"value": 5, "editable": False}
    assert api.send("PUT", "/configurations", ADMIN, {"token_expiration": 5}).status_code == 200


def test_nothing_is_scanned_by_itself(api: Api) -> None:
    assert api.get("/configurations").json["scan_all_policy"] == {"type": "none"}


def test_the_kind_of_login_is_fixed_once_there_are_users(api: Api) -> None:
    api.user()
    assert api.get("/configurations").json["auth_mode"] == {"value": "db_auth", "editable": False}
    answer = api.send("PUT", "/configurations", ADMIN, {"auth_mode": "ldap_auth"})
    assert answer.status_code == 400


def test_in_read_only_mode_nothing_changes_but_the_setting_itself(api: Api) -> None:
    project = api.project()
    assert api.send("PUT", "/configurations", ADMIN, {"read_only": True}).status_code == 200
    try:
        answer = api.send("DELETE", f"/projects/{project}")
        assert (answer.status_code, code(answer)) == (403, "DENIED")
        assert api.send("POST", "/projects", ADMIN, {"project_name": "no"}).status_code == 403
        assert api.get(f"/projects/{project}").status_code == 200
        assert api.get("/systeminfo").json["read_only"] is True
    finally:
        assert api.send("PUT", "/configurations", ADMIN, {"read_only": False}).status_code == 200
    assert api.send("DELETE", f"/projects/{project}").status_code == 200


def test_a_stored_value_that_no_longer_fits_gives_way_to_the_default(api: Api) -> None:
    with api.database.superuser() as connection:
        connection.execute(
            "INSERT INTO core.configuration (key, value) VALUES ('ldap_timeout', '\"soon\"'), ('gone', '1')"
        )
    assert api.get("/configurations").json["ldap_timeout"]["value"] == 5
    assert "gone" not in api.get("/configurations").json
