"""Other registries: their list, the form with a test of what it says, and their end."""

from typing import Any, Final

from gateway.core.request import ApiRequest, ApiResponse
from gateway.portal.forms import Form
from gateway.portal.lists import fuzzy, list_state
from gateway.portal.pages.replication import words
from gateway.portal.pages.sheets import Anybody, FormPage, Visit, filled
from gateway.portal.portal import Page, page

REGISTRIES: Final = "/registries"
_HOME: Final = "/replication/registries"
_MOST_POLICIES: Final = 10


class Registries(Page):
    """/replication/registries."""

    @page
    def on_get(self, req: ApiRequest, resp: ApiResponse) -> None:
        """The registries, and how they are."""
        state = list_state(req, sorts=("name", "type", "status", "creation_time"))
        found = self.portal.api(req).listed(
            REGISTRIES, page=state.page, page_size=state.page_size, sort=state.sort, q=fuzzy("name", state.search)
        )
        self.portal.show(
            req, resp, "registries.html", block="list", state=state, registries=found.items, total=found.total,
            words=words,
        )  # fmt: skip


class RegistryForm(FormPage[Visit]):
    """The form of a registry; passwords are never sent back."""

    template = "registry_form.html"
    part = "tested"

    def first(self, visit: Visit) -> Form:
        """One of the usual kind."""
        del visit
        return filled({"type": "harbor", "concurrency": 16})

    def values(self, visit: Visit, form: Form) -> dict[str, Any]:
        """What can be chosen; addresses that some kinds of registries have, for the browser to offer."""
        infos = visit.api.get("/replication/adapterinfos").values()
        endpoints = [each["value"] for info in infos for each in info["endpoint_pattern"]["endpoints"]]
        return {
            "stored": self.stored(visit, form), "tested": "", "adapters": words.ADAPTERS, "endpoints": endpoints,
        }  # fmt: skip

    def stored(self, visit: Visit, form: Form) -> dict[str, Any] | None:
        """The registry that the form is about; None for a new one. Raises Refused, Unauthorized."""
        del visit, form
        return None


class NewRegistry(Anybody, RegistryForm):
    """/replication/registries-new."""

    def act(self, visit: Visit, form: Form) -> None:
        """Set it up."""
        body = {
            "name": form.text("name"),
            "description": form.text("description"),
            "type": form.text("type"),
            "url": form.text("url"),
            "credential": {
                "type": "basic", "access_key": form.text("access_key"), "access_secret": form.raw("access_secret"),
            },
            "insecure": form.flag("insecure"),
            "ca_certificate": form.text("ca_certificate"),
            "proxy": form.text("proxy"),
            "concurrency": form.number("concurrency", 16),
        }  # fmt: skip
        visit.api.send("POST", REGISTRIES, body)
        self.go(visit, _HOME, f"Registry {form.text('name')} is set up.")


class EditRegistry(Anybody, RegistryForm):
    """/replication/registries/{number}."""

    def first(self, visit: Visit) -> Form:
        """As it is."""
        stored = _registry(visit)
        return filled(
            {
                "name": stored["name"],
                "description": stored["description"],
                "url": stored["url"],
                "access_key": stored.get("credential", {}).get("access_key", ""),
                "insecure": stored["insecure"],
                "ca_certificate": stored.get("ca_certificate", ""),
                "concurrency": stored["concurrency"],
            }
        )

    def stored(self, visit: Visit, form: Form) -> dict[str, Any]:
        """That of the address."""
        del form
        return _registry(visit)

    def act(self, visit: Visit, form: Form) -> None:
        """Change it; a secret that is left empty stays."""
        body = _access(form) | {
            "name": form.text("name"),
            "description": form.text("description"),
            "concurrency": form.number("concurrency", 16),
        }
        visit.api.send("PUT", f"{REGISTRIES}/{visit.parts['number']}", body)
        self.go(visit, _HOME, f"Registry {form.text('name')} is changed.")


class TryRegistry(Anybody, RegistryForm):
    """/replication/registries-test: whether the registry of a form answers, before anything is stored."""

    def stored(self, visit: Visit, form: Form) -> dict[str, Any] | None:
        """That of the form."""
        number = form.number("id")
        return _registry(visit, number) if number else None

    def act(self, visit: Visit, form: Form) -> None:
        """Ask it."""
        number = form.number("id")
        body = _access(form) | ({"id": number} if number else {"type": form.text("type")})
        visit.api.send("POST", f"{REGISTRIES}/ping", body)
        self.show(visit, form, tested="It answers, and takes the credential.")


class DeleteRegistry(Anybody, FormPage[Visit]):
    """/replication/registries/{number}/delete."""

    template = "registry_delete.html"

    def values(self, visit: Visit, form: Form) -> dict[str, Any]:
        """What stands in the way, or what is forgotten."""
        del form
        stored = _registry(visit)
        sides = [
            visit.api.listed("/replication/policies", q=f"{side}={stored['id']}", page_size=_MOST_POLICIES)
            for side in ("src_registry_id", "dest_registry_id")
        ]
        return {
            "registry": stored, "policies": [policy for side in sides for policy in side.items],
            "total": sum(side.total for side in sides),
        }  # fmt: skip

    def act(self, visit: Visit, form: Form) -> None:
        """Forget it."""
        del form
        name = _registry(visit)["name"]
        visit.api.send("DELETE", f"{REGISTRIES}/{visit.parts['number']}")
        self.go(visit, _HOME, f"Registry {name} is deleted; what it holds stays there.")


def _registry(visit: Visit, number: int | None = None) -> dict[str, Any]:
    """The registry of an address, or of a number."""
    found: dict[str, Any] = visit.api.get(f"{REGISTRIES}/{number or visit.parts['number']}")
    return found


def _access(form: Form) -> dict[str, Any]:
    """How a registry is spoken to; of the secrets only what is typed, or taken away."""
    wanted: dict[str, Any] = {
        "url": form.text("url"),
        "credential_type": "basic",
        "access_key": form.text("access_key"),
        "insecure": form.flag("insecure"),
        "ca_certificate": form.text("ca_certificate"),
    }
    for name, given in (("access_secret", form.raw("access_secret")), ("proxy", form.text("proxy"))):
        if given or form.flag(f"no_{name}"):
            wanted[name] = "" if form.flag(f"no_{name}") else given
    return wanted
