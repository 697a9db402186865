"""The items of the configuration and what they may be."""

import subprocess
import sys

import pytest

from services.api.domain.configuration import ITEMS
from services.api.domain.fitness import problem_of


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("read_only", "true"), ("read_only", 1), ("auth_mode", "oidc_auth"), ("auth_mode", None),
        ("storage_per_project", 0), ("storage_per_project", "1"), ("storage_per_project", True),
        ("robot_token_duration", 0), ("robot_name_prefix", ""), ("robot_name_prefix", "robot"),
        ("robot_name_prefix", "a:$"), ("robot_name_prefix", "$"), ("banner_message", "plain"), ("banner_message", "[]"),
        ("banner_message", "x" * 3000), ("ldap_url", "http://x"), ("ldap_scope", 3), ("ldap_timeout", 0),
        ("project_creation_restriction", "nobody"), ("oidc_endpoint", "https://x"), ("token_expiration", 30),
        ("self_registration", True), ("ldap_filter", "a\x00"),
        ("ldap_url", "ldap://a http://b"), ("ldap_url", " ".join(f"ldap://h{n}" for n in range(9))),
        ("ldap_group_search_scope", 3), ("ldap_group_admin_dn", "admins"), ("ldap_group_base_dn", "*)(cn=*"),
        ("ldap_ca_certificate", "no certificate"), ("ldap_start_tls", "yes"), ("ldap_group_attach_parallel", 1),
    ],
)  # fmt: skip
def test_a_value_that_does_not_fit_is_told_by_the_items_name(key: str, value: object) -> None:
    problem = problem_of(key, value, None)
    assert problem
    assert problem.startswith(f"{key} ")


@pytest.mark.parametrize("key", ITEMS)
def test_every_items_default_fits_it(key: str) -> None:
    assert problem_of(key, ITEMS[key].default, None) is None


def test_to_read_the_configuration_loads_no_directory() -> None:
    program = "import sys, services.api.queries.configuration; print('ldap3' in sys.modules)"
    told = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert told.stdout == "False\n"


def test_an_item_that_cannot_be_changed_may_be_set_to_what_it_is() -> None:
    assert problem_of("token_expiration", 7, 7) is None
    assert problem_of("token_expiration", 5, 7) == "token_expiration cannot be changed"


def test_every_item_that_holds_a_secret_is_marked_as_one() -> None:
    secretive = {key for key in ITEMS if key.endswith(("_password", "_secret"))}
    assert {key for key, item in ITEMS.items() if item.secret} == secretive
