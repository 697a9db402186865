"""Repositories and artifacts: every page of theirs and its address."""

from typing import Any

from gateway.portal.pages import artifact, artifact_forms, deletion, repository, repository_deletion, search
from gateway.portal.portal import Portal


def image_pages(portal: Portal) -> dict[str, Any]:
    """The pages by their addresses."""
    place, named = "/projects/{project}", "{repository:path}"
    one = "{reference}/" + named
    return {
        "/search": search.Search(portal),
        f"{place}/push-commands": repository.PushCommands(portal),
        f"{place}/repositories/{named}": repository.Artifacts(portal),
        f"{place}/choose-label/{named}": repository.ChooseLabel(portal),
        f"{place}/describe-repository/{named}": repository.Description(portal),
        f"{place}/delete-repository/{named}": repository_deletion.DeleteRepository(portal),
        f"{place}/artifacts/{one}": artifact.OneArtifact(portal),
        f"{place}/contents/{one}": artifact.Contents(portal),
        f"{place}/new-tag/{one}": artifact_forms.NewTag(portal),
        f"{place}/delete-tag/{{reference}}/{{tag}}/{named}": artifact_forms.DeleteTag(portal),
        f"{place}/artifact-labels/{one}": artifact_forms.ArtifactLabels(portal),
        f"{place}/copy-artifact/{one}": artifact_forms.CopyArtifact(portal),
        f"{place}/delete-artifacts/{named}": deletion.DeleteArtifacts(portal),
    }
