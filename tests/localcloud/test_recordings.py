"""Recorded Azure traffic, replayed: the local cloud answers each request as Azure did.

Status, header names, the shape of the body and the words that a client acts on are compared. Every difference that is
let through is in TOLERATED, by name and with its reason; one that no longer occurs must leave the table.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import requests

from localcloud.arm.paths import workspace_scope
from localcloud.arm.quota import check_new_endpoint
from localcloud.arm.store import Endpoint, Store
from localcloud.seams import AzureError
from localcloud.settings import Settings
from tests.localcloud import arm_cloud
from tests.localcloud.arm_cloud import ArmCloud, new_name
from tests.localcloud.beside import SHARED, require
from tests.localcloud.replay import Json, Replay, differences, load

TOLERATED = {
    r"header (content-encoding|transfer-encoding|vary) is missing": "bodies are not compressed here",
    r"header content-length is more": "what is not compressed has a length",
    r"header content-length is missing": "a 204 has no length (RFC 9110, 8.6); Azure sends 0",
    r"header connection is missing": "keep-alive is HTTP/1.1's default and not spelled out here",
    r"header x-ms-request-id is more": "correlation headers were cut out of the recordings (their _source says so)",
    r"header retry-after is more": "a shortened operation asks to be polled sooner than an SDK's own 30 s",
    r"header x-request-time is more": "cut out of that excerpt, present in every other one",
    r"body\.kind is more": "workspaces have a kind since a later api-version than the recorded one",
}
LIFECYCLES = (
    "online_endpoint_lifecycle",
    "batch_endpoint_create_get_delete",
    "batch_deployment_and_invoke",
    "registry_discovery_and_share",
    "workspace_model_version_put",
)
SUMS = "import json\ndef init(): pass\ndef run(raw): return [float(sum(row)) for row in json.loads(raw)['data']]\n"
used: set[str] = set()


def recordings() -> Path:
    """Where the recordings are: beside the checkout, or where the environment says."""
    return Path(os.environ.get("UNDERSTUDY_RECORDINGS", SHARED / "recordings"))


@pytest.fixture(scope="module", autouse=True)
def _present() -> None:
    require(recordings(), "set UNDERSTUDY_RECORDINGS to the folder that has the recordings")


@pytest.fixture(scope="module")
def stepped(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ArmCloud]:
    """A cloud whose operations end when they are told to, with the recorded registry's name."""
    settings = Settings(stepped="operations", job_seconds=60, registry="testFeed", region="centraluseuap")
    with arm_cloud.running(tmp_path_factory.mktemp("replay") / ".local", settings) as cloud:
        yield cloud


def put_asset(arm: ArmCloud, path: str, properties: Json) -> None:
    """Register one asset version under its recorded name."""
    reply = arm.call("PUT", f"{arm.workspace_id}/{path}", {"properties": properties})
    assert reply.status_code in (200, 201), reply.text


def put_code(arm: ArmCloud, name: str, script: str) -> None:
    """A code asset with one script that adds up the rows of its input."""
    secrets = arm.call("POST", f"{arm.workspace_id}/datastores/workspaceblobstore/listSecrets").json()
    folder = f"{arm.env['UNDERSTUDY_BLOB_URL']}/azureml-blobstore/{name}"
    url = f"{folder}/{script}?{secrets['sasToken']}"
    requests.put(url, data=SUMS, headers={"x-ms-blob-type": "BlockBlob"}, timeout=10).raise_for_status()
    put_asset(arm, f"codes/{name}/versions/1", {"codeUri": folder})


def before_online(arm: ArmCloud, _replay: Replay) -> None:
    """The model and the code that the recorded deployment names."""
    arm.model("mir_test_model", "1")
    put_code(arm, "38b4fd9c-442f-42f8-8b87-601e5c35a88e", "score.py")


def before_batch(arm: ArmCloud, replay: Replay) -> None:
    """The endpoint, model and code that the recorded batch deployment names; the input stays on this machine."""
    name = "batch-ept-11a618d470304b2"
    arm.ended(arm.call("PUT", f"{arm.workspace_id}/batchEndpoints/{name}", {"properties": {"authMode": "aadToken"}}))
    model = arm.model("digits", "1")
    put_asset(arm, "models/88cf3abcb419bc852f17398005a22790/versions/1", {"modelUri": model.path})
    put_code(arm, "2d48ca0c-1196-4169-94c6-1bd7584fbf6c", "digit_identification.py")
    scoring = arm.call("GET", f"{arm.workspace_id}/batchEndpoints/{name}").json()["properties"]["scoringUri"]
    replay.places[f"https://{name}.westus2-main.inference.ml.azure.com/jobs"] = scoring
    replay.places["https://pipelinedata.blob.core.windows.net/sampledata/mnist"] = f"{arm.url}/rows"


def before_share(arm: ArmCloud, _replay: Replay) -> None:
    """The workspace's model that was shared, as the recording shows it at the end."""
    name = "model_test_791069743408"
    shared = load(recordings() / "registry_discovery_and_share.json")[-1]["ResponseBody"]["properties"]
    properties = {key: value for key, value in shared.items() if key != "originAssetId"}
    put_asset(arm, f"models/{name}/versions/2", properties)


BEFORE: dict[str, Callable[[ArmCloud, Replay], None]] = {
    "online_endpoint_lifecycle": before_online,
    "batch_deployment_and_invoke": before_batch,
    "registry_discovery_and_share": before_share,
}


def reason_for(difference: str) -> str | None:
    """The entry of TOLERATED that lets it through."""
    return next((name for name in TOLERATED if re.fullmatch(name, difference)), None)


@pytest.mark.parametrize("name", LIFECYCLES)
def test_each_recorded_request_is_answered_as_azure_answered_it(stepped: ArmCloud, name: str) -> None:
    replay = Replay(stepped)
    if prepare := BEFORE.get(name):
        prepare(stepped, replay)
    unexplained = []
    for number, entry in enumerate(load(recordings() / f"{name}.json")):
        reply = replay.send(entry)
        for difference in differences(entry, reply):
            if (tolerated := reason_for(difference)) is not None:
                used.add(tolerated)
            else:
                place = entry["RequestUri"].partition("?")[0].rsplit("/", 2)
                unexplained.append(f"{number} {entry['RequestMethod']} {'/'.join(place[1:])}: {difference}")
    assert not unexplained, "\n" + "\n".join(unexplained)


def test_every_tolerated_difference_still_occurs() -> None:
    if not used:
        pytest.skip("the recordings were not replayed in this run")
    assert used == set(TOLERATED)


def test_every_recording_is_replayed() -> None:
    known = {*LIFECYCLES, "error_bodies_from_public_reports"}
    assert {file.stem for file in recordings().glob("*.json")} == known


def case(when: str) -> Json:
    """The published error whose description begins so."""
    cases = json.loads((recordings() / "error_bodies_from_public_reports.json").read_text())["cases"]
    found: list[Json] = [one for one in cases if one["when"].startswith(when)]
    return found[0]


def texts(body: Any) -> list[str]:
    """Every message of an error body, those inside JSON strings included, with numbers and names taken out."""
    if isinstance(body, dict):
        return [text for value in body.values() for text in texts(value)]
    if isinstance(body, list):
        return [text for value in body for text in texts(value)]
    if not isinstance(body, str):
        return []
    start = body.find("{")
    if start >= 0 and '"errors"' in body:
        return [body[:start], *texts(json.loads(body[start:])["errors"])]
    return [re.sub(r"\[[^\]]*\]|\d+/\d+|needed: \d+|Id \S+\.|Standard_\w+|subscription [^ .]+ ?\.", "#", body)]


def assert_as_published(published: Json, local: Json) -> None:
    """The same codes and messages; the details' error fields as well."""
    ours, theirs = local["error"], published["error"]
    assert (ours["code"], texts(ours["message"])) == (theirs["code"], texts(theirs["message"]))
    assert [detail["code"] for detail in ours["details"]] == [detail["code"] for detail in theirs.get("details", [])]
    assert texts(ours["details"]) == texts(theirs.get("details", []))
    names = {info["type"] for info in theirs.get("additionalInfo", [])}
    assert names <= {info["type"] for info in ours["additionalInfo"]}


def test_too_little_quota_is_refused_as_published(stepped: ArmCloud) -> None:
    reply = stepped.put_deployment(stepped.endpoint(), "blue", 50, instanceType="Standard_F72s_v2")

    published = case("PUT deployment, VM quota too small")
    assert reply.status_code == published["status"]
    assert_as_published(published["body"], reply.json())


def test_a_deployment_whose_first_provisioning_failed_is_refused_as_published(stepped: ArmCloud) -> None:
    endpoint = stepped.endpoint()
    missing = "azureml://datastores/workspaceblobstore/paths/not/there"
    failed = stepped.ended(stepped.put_deployment(endpoint, "latest", model=missing))
    assert failed["status"] == "Failed"

    reply = stepped.put_deployment(endpoint, "latest")

    published = case("PUT deployment over one whose first provisioning failed")
    assert reply.status_code == published["status"]
    assert_as_published(published["body"], reply.json())


def test_a_deployment_under_an_endpoint_that_is_not_ready_is_refused_as_published(stepped: ArmCloud) -> None:
    name = new_name("ep")
    assert stepped.put_traffic(name, {}).json()["properties"]["provisioningState"] == "Creating"

    reply = stepped.put_deployment(name, "blue")

    published = case("PUT deployment under an endpoint not in Succeeded")
    assert reply.status_code == published["status"]
    assert_as_published(published["body"], reply.json())


def test_an_endpoint_beyond_the_quota_of_the_region_is_refused_as_published() -> None:
    settings, store = Settings(), Store()
    for number in range(settings.endpoints_per_region):
        endpoint = Endpoint(workspace_scope(settings), f"ep-{number}", "westeurope", "Key")
        store.endpoints[endpoint.arm_id.lower()] = endpoint

    with pytest.raises(AzureError) as refused:
        check_new_endpoint(store, settings, "one-more")

    published = case("PUT endpoint, endpoint quota used up")
    assert refused.value.status == published["status"]
    assert refused.value.code == published["body"]["error"]["code"]
    assert texts(refused.value.message) == texts(published["body"]["error"]["message"])


def test_a_name_that_is_taken_in_the_region_is_refused_as_published() -> None:
    with pytest.raises(AzureError) as refused:
        check_new_endpoint(Store(), Settings(taken_endpoint_names="credit, fraud"), "Fraud")

    published = case("PUT endpoint, name taken in the region")["body"]["error"]
    assert (refused.value.status, refused.value.code) == (400, published["code"])
    assert refused.value.message.startswith(published["message"].partition(".")[0])


def test_deleting_a_deployment_that_has_traffic_is_refused_as_published(stepped: ArmCloud) -> None:
    reply = stepped.call(
        "DELETE", f"{stepped.endpoint_path(stepped.endpoint('blue', traffic={'blue': 100}))}/deployments/blue"
    )

    published = case("DELETE deployment that has traffic")
    assert reply.status_code == 400
    assert published["message_text"] in reply.json()["error"]["details"][0]["message"]


def test_a_write_during_an_operation_is_refused_as_published(stepped: ArmCloud) -> None:
    name = stepped.endpoint()
    assert stepped.put_traffic(name, {}).status_code == 201

    reply = stepped.put_traffic(name, {})

    published = case("write on a deployment/endpoint with an operation in flight")
    assert reply.status_code == published["status"]
    assert published["message_text"].strip(".") in reply.json()["error"]["message"]


def test_a_container_that_never_becomes_ready_fails_its_operation_as_published(stepped: ArmCloud) -> None:
    code = new_name("code")
    put_code(stepped, code, "score.py")
    wrong = {"codeId": f"{stepped.workspace_id}/codes/{code}/versions/1", "scoringScript": "other.py"}

    operation = stepped.ended(stepped.put_deployment(stepped.endpoint(), "blue", codeConfiguration=wrong))

    published = case("LRO of a deployment ends Failed")
    assert operation["status"] == "Failed"
    assert operation["error"]["code"] == published["error_code"]
    assert operation["error"]["message"].startswith(published["message_text"].partition(".")[0])
