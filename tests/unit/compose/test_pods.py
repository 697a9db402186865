"""Several pods of one instance: what they need to share, what is rendered, and how they come to agree."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

import kubernetes_validate
import pytest

from compose.docker import prepare as preparing
from compose.docker.pods import agree
from compose.docker.site import MOST_PODS, Surroundings, container_site
from compose.local.layout import Layout
from compose.local.parts import SERVICES
from compose.local.state import Busy, exclusively
from shared.errors import ConfigurationError
from shared.settings import load_settings
from tests.clients import helm
from tests.unit.compose.test_chart_refusals import OUTSIDE
from tests.unit.compose.test_chart_values import KUBERNETES, SCHEMA

if TYPE_CHECKING:
    from pathlib import Path

SHARED: Final[dict[str, Any]] = OUTSIDE | {"storage": {"secrets": {"shared": True}}}
SEVERAL: Final[dict[str, Any]] = SHARED | {"replicas": 3, "podDisruptionBudget": {"enabled": True}}


@pytest.fixture(scope="module")
def rendered() -> helm.Rendered:
    return helm.render(SEVERAL)


@pytest.mark.parametrize(("values", "sentence"), [
    ({"replicas": 2}, "several pods need settings.BREAKWATER_DATABASE_HOST, BREAKWATER_AMQP_HOST and BREAKWATER_S3_B"),
    (
        SEVERAL | {"settings": OUTSIDE["settings"] | {"BREAKWATER_AMQP_HOST": ""}},
        "several pods need settings.BREAKWATER_DATABASE_HOST, BREAKWATER_AMQP_HOST and BREAKWATER_S3_BUCKET",
    ),
    (OUTSIDE | {"replicas": 2}, "several pods need storage.secrets.shared, a volume that all of them may write to"),
    (SEVERAL | {"replicas": 0}, "'/replicas': minimum: got 0, want 1"),
    (SEVERAL | {"replicas": 9}, "'/replicas': maximum: got 9, want 8"),
], ids=range(5))  # fmt: skip
def test_several_pods_are_refused_without_what_they_share(values: dict[str, Any], sentence: str) -> None:
    with pytest.raises(helm.RefusedError) as refusal:
        helm.render(values)
    assert sentence in str(refusal.value)
    assert SCHEMA["properties"]["replicas"]["maximum"] == MOST_PODS


def test_kubernetes_takes_what_is_rendered(rendered: helm.Rendered) -> None:
    for each in rendered.objects.values():
        for version in KUBERNETES:
            kubernetes_validate.validate(each, version, strict=True)


def test_they_share_one_volume_and_it_stays_with_its_name_when_one_is_left(rendered: helm.Rendered) -> None:
    alone = helm.render(SHARED)
    claim = rendered.objects["PersistentVolumeClaim"]
    assert claim == alone.objects["PersistentVolumeClaim"]
    assert claim["spec"]["accessModes"] == ["ReadWriteMany"]
    assert claim["metadata"]["annotations"] == {"helm.sh/resource-policy": "keep"}
    for each in (rendered, alone):
        assert "volumeClaimTemplates" not in each.objects["StatefulSet"]["spec"]
        (volume,) = [volume for volume in each.pod["volumes"] if "persistentVolumeClaim" in volume]
        assert volume == {"name": "secrets", "persistentVolumeClaim": {"claimName": claim["metadata"]["name"]}}


def test_each_knows_how_many_there_are_and_who_prepares_which_one_it_is(rendered: helm.Rendered) -> None:
    told = {
        name: {each["name"]: each for each in container["env"]}
        for name, container in rendered.containers.items() if "env" in container
    }
    assert {given["BREAKWATER_PODS"]["value"] for given in told.values()} == {"3"}
    named = {name: given["BREAKWATER_POD_NAME"] for name, given in told.items() if "BREAKWATER_POD_NAME" in given}
    field = {"fieldRef": {"fieldPath": "metadata.name"}}
    assert named == {"prepare": {"name": "BREAKWATER_POD_NAME", "valueFrom": field}}


def test_nothing_but_number_and_rules_differs_from_one_pod(rendered: helm.Rendered) -> None:
    """No old code meets a new database by itself, clients are led to whoever is ready, one at a time may go."""
    alone = helm.render(SHARED | {"podDisruptionBudget": {"enabled": True}})
    spec = rendered.objects["StatefulSet"]["spec"]
    before = alone.objects["StatefulSet"]["spec"]
    assert (spec["replicas"], before["replicas"]) == (3, 1)
    assert (spec["updateStrategy"], before["updateStrategy"]) == ({"type": "OnDelete"}, {"type": "RollingUpdate"})
    # of pods that are replaced by hand kubectl knows no rollout
    said = "wait --for=jsonpath='{.status.readyReplicas}'=3 statefulset/breakwater"
    assert (said in rendered.notes, "rollout status" in rendered.notes) == (True, False)
    assert (said in alone.notes, "rollout status" in alone.notes) == (False, True)
    # the second is not made before the first is ready: it finds the secrets
    assert "podManagementPolicy" not in spec
    told = [each.objects["Service"]["spec"].get("publishNotReadyAddresses", False) for each in (rendered, alone)]
    assert told == [False, True]
    budgets = [each.objects["PodDisruptionBudget"]["spec"]["maxUnavailable"] for each in (rendered, alone)]
    assert budgets == [1, 0]
    assert {*rendered.pod} - {*alone.pod} == {"affinity"}


def test_a_pod_stays_on_the_way_of_clients_while_what_all_of_them_share_is_away(rendered: helm.Rendered) -> None:
    """Without the broker pulls go on, and without the database clients are told to try again."""
    alone = helm.render(SHARED).containers
    for name, container in rendered.containers.items():
        if "readinessProbe" not in container:
            continue
        command = container["readinessProbe"]["exec"]["command"]
        assert command == alone[name]["readinessProbe"]["exec"]["command"] + (["--alive"] if name in SERVICES else [])


def test_they_are_spread_over_nodes_unless_somebody_says_otherwise(rendered: helm.Rendered) -> None:
    ((weight, term),) = [
        (each["weight"], each["podAffinityTerm"])
        for each in rendered.pod["affinity"]["podAntiAffinity"]["preferredDuringSchedulingIgnoredDuringExecution"]
    ]
    assert (weight, term["topologyKey"]) == (100, "kubernetes.io/hostname")
    assert term["labelSelector"]["matchLabels"] == rendered.objects["Service"]["spec"]["selector"]
    own = {"nodeAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": {"nodeSelectorTerms": []}}}
    assert helm.render(SEVERAL | {"pod": {"affinity": own}}).pod["affinity"] == own


def test_containers_tell_their_parts_of_the_others(monkeypatch: pytest.MonkeyPatch) -> None:
    assert "BREAKWATER_PODS" not in container_site().settings
    monkeypatch.setenv("BREAKWATER_PODS", "2")
    site = container_site()
    assert load_settings(home="/nowhere", run="/nowhere", pods=site.settings["BREAKWATER_PODS"]).pods == 2
    # sockets are each pod's own: nobody looks for a second one
    assert not {"BREAKWATER_REPLICAS", "BREAKWATER_REPLICA"} & site.settings.keys()


@pytest.fixture
def layout(tmp_path: Path) -> Layout:
    layout = Layout(tmp_path)
    layout.conf.mkdir()
    return layout


def refused(layout: Layout, name: str, pods: int) -> str:
    try:
        agree(layout, Surroundings(pod=True, pods=pods, pod_name=name))
    except ConfigurationError as error:
        return error.sentence
    return ""


def test_a_second_pod_starts_where_the_first_knows_of_it_alone(layout: Layout) -> None:
    assert refused(layout, "store-1", 2)
    assert refused(layout, "store-0", 1) == ""
    assert refused(layout, "store-1", 2) == (
        "store-0 was started as the only pod, and does not know of this one: kubectl delete pod store-0, which starts"
        " it anew"
    )
    assert refused(layout, "store-0", 2) == ""
    assert refused(layout, "store-1", 2) == ""
    # a third one makes no difference to the first two
    assert refused(layout, "store-2", 3) == ""
    assert refused(layout, "store-0", 1) == ""
    assert refused(layout, "store-1", 2)


def test_one_at_a_time_prepares_what_all_of_them_share(layout: Layout, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BREAKWATER_POD", "true")
    monkeypatch.setattr(preparing, "container_site", lambda **_: replace(container_site(), layout=layout))
    with exclusively(layout.secrets), pytest.raises(Busy, match="at work on the secrets of this instance"):
        preparing.prepare()
    assert [*layout.conf.iterdir()] == []


def test_a_pod_that_somebody_has_added_by_hand_does_not_start(layout: Layout) -> None:
    assert refused(layout, "store-0", 1) == ""
    said = "store-1 is one more than the 1 that there are to be: set the chart's replicas"
    assert refused(layout, "store-1", 1) == said
