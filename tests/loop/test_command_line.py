"""`python -m rollout list | show | approve ...` from a shell: what people see, ask and are refused."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import pytest

from rollout.__main__ import main
from rollout.client.ask_command import HELP
from rollout.commands import ACTIONS
from tests.loop.policies import CANARY, FULL, RETIRE
from tests.loop.site import TARGET, Site
from tests.loop.waiting import wait_until
from tests.loop.world import World
from tests.web_server import Handler, serving

SECRET = "a-key-that-nobody-may-see"
Output = pytest.CaptureFixture[str]


@pytest.fixture(scope="module")
def site(lasting: World) -> Site:
    """A site whose version 2 waits for a person."""
    made = lasting.live_site(steps=("approval: {at_most: 5m}", FULL, RETIRE))
    made.register("2")
    made.wait_for("awaiting_approval", version="2")
    return made


def run(capsys: Output, *arguments: str) -> tuple[int, str, str]:
    """(exit status, output, errors) of a command; the key is in none of them."""
    capsys.readouterr()
    status = main(arguments)
    told = capsys.readouterr()
    assert SECRET not in told.out + told.err
    return status, told.out.strip("."), told.err  # azure-ai-ml's pollers, in threads of their own, print dots


def place(site: Site) -> tuple[str, str, str]:
    return site.policy, TARGET, site.endpoint


def test_the_list_shows_the_rollouts_of_a_policy_or_a_phase(world: World, site: Site, capsys: Output) -> None:
    status, told, _ = run(capsys, "list", "--policy", site.policy)
    head, row = told.splitlines()
    assert (status, head.split()[:4], row.split()[:4]) == (
        0,
        ["policy", "target", "endpoint", "version"],
        [*place(site), "2"],
    )
    assert "awaiting_approval" in row
    _, told, _ = run(capsys, "list", "--policy", site.policy, "--phase", "canary")
    assert site.policy in told.removeprefix("none of")
    _, told, _ = run(capsys, "list", "--phase", "awaiting_approval", "--json")
    assert site.policy in {one["policy"] for one in json.loads(told)}


def test_a_rollout_is_shown_with_what_it_waits_for_and_raw_as_the_api_has_it(
    world: World, site: Site, capsys: Output
) -> None:
    status, told, _ = run(capsys, "show", *place(site))
    assert status == 0
    assert "phase      awaiting_approval, step approval" in told
    assert f"waits for  a person who approves or rejects: python -m rollout approve {' '.join(place(site))}" in told
    status, told, _ = run(capsys, "show", *place(site), "--json")
    assert sorted(json.loads(told)) == sorted(site.now())


def test_a_command_is_refused_with_the_reason_and_status_1(world: World, site: Site, capsys: Output) -> None:
    status, out, told = run(capsys, "advance", *place(site), "--reason", "hurry")
    assert (status, out) == (1, "")
    assert told.startswith("refused: the step waits for a person: use `approve`")
    status, _, told = run(capsys, "approve", *place(site), "--reason", "fine", "--record", "0")
    assert status == 1
    assert "the rollout has moved on" in told


def test_a_rollout_is_approved_and_watched_from_a_shell_until_it_is_done(
    world: World, site: Site, capsys: Output
) -> None:
    own = world.live_site(steps=("approval: {at_most: 5m}", FULL, RETIRE))
    with own.clients() as clients:
        own.register("2")
        own.wait_for("awaiting_approval", version="2")
        order = ("approve", *place(own), "--reason", "looks good", "--id", "one-approval")
        status, told, _ = run(capsys, *order)
        assert (status, told.splitlines()[0]) == (0, f"accepted: approve of {'/'.join(place(own))}, id one-approval")
        assert run(capsys, *order)[0] == 0, "the same id is answered the same"
        status, told, _ = run(capsys, "show", *place(own), "--watch", "--every", "0.1")
    assert status == 0
    assert not clients.failures
    assert "approve by holder of the function key: looks good" in told
    assert told.splitlines()[-1].startswith("done: ")


def test_who_starts_and_watches_is_told_what_comes_of_it_and_not_how_the_rollout_before_ended(
    world: World, site: Site, capsys: Output
) -> None:
    own, said = world.site(steps=(CANARY, FULL)), list[str]()
    own.register("1")
    own.wait_for("done", version="1")
    lease = world.take_lease(own, seconds=60)

    def told() -> str:
        said.append(capsys.readouterr().out)
        return "".join(said)

    run(capsys, "start", *place(own), "--reason", "again")
    with ThreadPoolExecutor(1) as pool:
        watching = pool.submit(main, ("show", *place(own), "--watch", "--every", "0.1"))
        wait_until(lambda: "asked for, not looked at yet: start by" in told(), seconds=20, told=told)
        lease.release()
        assert watching.result(60) == 0
    assert "again; nothing to act on" in told()


def test_who_watches_what_was_started_for_the_first_time_waits_for_it_to_begin(capsys: Output) -> None:
    never = b'{"error": "there never was a rollout at p/t/e", "unread": %s}'
    with answering(404, never % b'["start by ann: first"]', then=never % b"[]") as (url, asked):
        status, out, told = run(capsys, "show", "p", "t", "e", "--watch", "--every", "0.1", "--url", url)
    assert (status, out) == (1, "not begun yet: start by ann: first\n")
    assert told.startswith("there never was a rollout at p/t/e")
    assert len(asked) == 3, "twice for the rollout, and once for the names that there are"


def test_a_name_that_the_app_does_not_know_is_answered_with_those_it_knows(
    world: World, site: Site, capsys: Output
) -> None:
    policy, target, endpoint = place(site)
    for order in (
        ("show", policy, "prodution", endpoint),
        ("pause", policy, "prodution", endpoint, "--reason", "r"),
    ):
        status, out, told = run(capsys, *order)
        assert (status, out) == (1, "")
        assert f"The app has:\n  {policy} {target} {endpoint}" in told


def test_a_wrong_key_is_told_with_the_command_that_gives_the_right_one(
    world: World, site: Site, capsys: Output, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "key"
    file.write_text(f"{SECRET}\n")
    status, _, told = run(capsys, "list", "--key-file", str(file))
    assert status == 2
    assert "answers 401: this key is refused" in told
    assert "az functionapp keys list" in told
    monkeypatch.delenv("FUNCTIONS_KEY")
    assert "no key was given" in run(capsys, "list")[2]
    file.write_text(world.env["FUNCTIONS_KEY"])
    assert run(capsys, "list", "--key-file", str(file), "--url", f"{world.env['FUNCTIONS_URL']}/api/")[0] == 0


@pytest.mark.parametrize(
    ("url", "told"),
    [
        ("", "no address of the app: give --url https://APP.azurewebsites.net, or set UNDERSTUDY_URL"),
        ("ftp://app", "must be like https://"),
        (f"https://app?code={SECRET}", "a key belongs into FUNCTIONS_KEY"),
        ("http://localhost:1", "does not answer: Connection refused"),
        ("http://192.0.2.1", "would get the key in clear text: give its https:// address"),
    ],
)
def test_an_address_that_leads_nowhere_is_told_and_the_key_stays_here(
    url: str, told: str, capsys: Output, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("UNDERSTUDY_URL", "FUNCTIONS_URL"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("FUNCTIONS_KEY", SECRET)
    status, _, said = run(capsys, "list", "--url", url)
    assert status == 2
    assert told in said


@contextmanager
def answering(status: int, body: bytes, *, then: bytes = b"", **headers: str) -> Iterator[tuple[str, list[str]]]:
    """Something that is not the app: its address, and the paths that it was asked for; `then` from the second on."""
    asked = list[str]()

    class Answering(Handler):
        def do_GET(self) -> None:
            asked.append(self.path)
            self.send_response(status)
            for name, value in headers.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(then if then and len(asked) > 1 else body)

        do_POST = do_GET

    with serving(Answering) as address:
        yield address, asked


def test_a_redirect_is_told_and_not_followed(capsys: Output, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FUNCTIONS_KEY", SECRET)
    with answering(200, b"[]") as (elsewhere, asked), answering(302, b"", Location=elsewhere) as (url, _):
        status, _, told = run(capsys, "list", "--url", url)
    assert (status, asked) == (2, [])
    assert f"points to {elsewhere}" in told


@pytest.mark.parametrize(("code", "told"), [(200, "is not Understudy (200, no JSON)"), (502, "answers 502: try again")])
def test_an_answer_of_something_else_is_told(code: int, told: str, capsys: Output) -> None:
    with answering(code, b"<html>") as (url, _):
        status, _, said = run(capsys, "list", "--url", url)
        assert (status, told in said) == (2, True)
        _, _, said = run(capsys, "pause", "p", "t", "e", "--reason", "r", "--id", "mine", "--url", url)
    assert ("give the command again with --id mine" in said) == (code == 502)


@pytest.mark.parametrize("text", ["", "two words", "a\nb"])
def test_a_file_that_holds_no_key_is_refused_without_its_text(text: str, capsys: Output, tmp_path: Path) -> None:
    file = tmp_path / "key"
    file.write_text(text)
    status, _, told = run(capsys, "list", "--url", "https://app", "--key-file", str(file))
    assert status == 2
    assert told.startswith(str(file))
    assert not text or text not in told
    assert run(capsys, "list", "--url", "https://app", "--key-file", str(tmp_path / "gone"))[0] == 2


def test_every_command_of_the_door_is_a_command_of_the_shell_and_help_tells_the_exit_status(capsys: Output) -> None:
    assert tuple(HELP) == ACTIONS
    for action in (*ACTIONS, "list", "show"):
        with pytest.raises(SystemExit) as ended:
            main([action, "--help"])
        assert ended.value.code == 0
        assert "exit status: 0 done or accepted; 1 the app refused" in capsys.readouterr().out


def test_the_client_loads_nothing_of_azure() -> None:
    code = "import rollout.__main__, sys; print([one for one in sys.modules if one.split('.')[0] == 'azure'])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
