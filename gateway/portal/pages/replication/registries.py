"""Other registries: their list, the form with a test of what it says, and their end."""

from typing import Any, Final

from gateway.core.request import ApiRequest, ApiResponse
from gateway.portal.errors import Refused
from gateway.portal.forms import Form, read_form
from gateway.portal.lists import fuzzy, list_state
from gateway.portal.pages.replication import words
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


class RegistryForm(Page):
    """A page that shows the form of a registry."""

    def show(
        self, req: ApiRequest, resp: ApiResponse, form: Form, *, stored: dict[str, Any] | None = None,
        refused: Refused | None = None, tested: str = "",
    ) -> None:
        """The form with what was typed; passwords are never sent back."""
        self.portal.show(
            req, resp, "registry_form.html", block="tested", form=form, stored=stored, tested=tested,
            adapters=words.ADAPTERS, endpoints=self._endpoints(req), status=refused.status if refused else 200,
            sentence=refused.sentence if refused else "",
        )  # fmt: skip

    def stored(self, req: ApiRequest, number: str) -> dict[str, Any]:
        """The registry of an address. Raises Refused, Unauthorized."""
        return dict(self.portal.api(req).get(f"{REGISTRIES}/{number}"))

    def _endpoints(self, req: ApiRequest) -> list[str]:
        """Addresses that some kinds of registries have, for the browser to offer."""
        infos = self.portal.api(req).get("/replication/adapterinfos")
        return [each["value"] for info in infos.values() for each in info["endpoint_pattern"]["endpoints"]]


class NewRegistry(RegistryForm):
    """/replication/registries-new."""

    @page
    def on_get(self, req: ApiRequest, resp: ApiResponse) -> None:
        """The empty form."""
        self.show(req, resp, Form({"type": ["harbor"], "concurrency": ["16"]}))

    @page
    def on_post(self, req: ApiRequest, resp: ApiResponse) -> None:
        """Set the registry up. Raises ForeignForm, BadForm."""
        form = read_form(req)
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
        try:
            self.portal.api(req).send("POST", REGISTRIES, body)
        except Refused as refused:
            self.show(req, resp, form, refused=refused)
        else:
            self.portal.go(req, resp, _HOME, f"Registry {form.text('name')} is set up.")


class EditRegistry(RegistryForm):
    """/replication/registries/{number}."""

    @page
    def on_get(self, req: ApiRequest, resp: ApiResponse, number: str) -> None:
        """The form as the registry is."""
        stored = self.stored(req, number)
        fields = {
            "name": stored["name"],
            "description": stored["description"],
            "url": stored["url"],
            "access_key": stored.get("credential", {}).get("access_key", ""),
            "insecure": "on" if stored["insecure"] else "",
            "ca_certificate": stored.get("ca_certificate", ""),
            "concurrency": stored["concurrency"],
        }
        self.show(req, resp, Form({name: [str(value)] for name, value in fields.items()}), stored=stored)

    @page
    def on_post(self, req: ApiRequest, resp: ApiResponse, number: str) -> None:
        """Change the registry; a secret that is left empty stays. Raises ForeignForm, BadForm."""
        form = read_form(req)
        body = _access(form) | {
            "name": form.text("name"),
            "description": form.text("description"),
            "concurrency": form.number("concurrency", 16),
        }
        try:
            self.portal.api(req).send("PUT", f"{REGISTRIES}/{number}", body)
        except Refused as refused:
            self.show(req, resp, form, stored=self.stored(req, number), refused=refused)
        else:
            self.portal.go(req, resp, _HOME, f"Registry {form.text('name')} is changed.")


class TryRegistry(RegistryForm):
    """/replication/registries-test: whether the registry of a form answers, before anything is stored."""

    @page
    def on_post(self, req: ApiRequest, resp: ApiResponse) -> None:
        """Ask it. Raises ForeignForm, BadForm."""
        form = read_form(req)
        number = form.number("id")
        stored = self.stored(req, str(number)) if number else None
        body = _access(form) | ({"id": number} if number else {"type": form.text("type")})
        try:
            self.portal.api(req).send("POST", f"{REGISTRIES}/ping", body)
        except Refused as refused:
            self.show(req, resp, form, stored=stored, refused=refused)
        else:
            self.show(req, resp, form, stored=stored, tested="It answers, and takes the credential.")


class DeleteRegistry(RegistryForm):
    """/replication/registries/{number}/delete."""

    @page
    def on_get(self, req: ApiRequest, resp: ApiResponse, number: str) -> None:
        """What stands in the way, or what is forgotten."""
        self._show(req, resp, number)

    @page
    def on_post(self, req: ApiRequest, resp: ApiResponse, number: str) -> None:
        """Forget it. Raises ForeignForm, BadForm."""
        read_form(req)
        name = self.stored(req, number)["name"]
        try:
            self.portal.api(req).send("DELETE", f"{REGISTRIES}/{number}")
        except Refused as refused:
            self._show(req, resp, number, refused)
        else:
            self.portal.go(req, resp, _HOME, f"Registry {name} is deleted; what it holds stays there.")

    def _show(self, req: ApiRequest, resp: ApiResponse, number: str, refused: Refused | None = None) -> None:
        stored = self.stored(req, number)
        api = self.portal.api(req)
        sides = [
            api.listed("/replication/policies", q=f"{side}={stored['id']}", page_size=_MOST_POLICIES)
            for side in ("src_registry_id", "dest_registry_id")
        ]
        self.portal.show(
            req, resp, "registry_delete.html", registry=stored, words=words,
            policies=[policy for side in sides for policy in side.items], total=sum(side.total for side in sides),
            status=refused.status if refused else 200, sentence=refused.sentence if refused else "",
        )  # fmt: skip


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
