"""What an outsider can prove from the API alone, and every command and request of the auditor's page as it stands there."""

from __future__ import annotations

import base64
import hashlib
import re
import shlex
from pathlib import Path
from uuid import uuid4

import pytest

from serving.access.model import Permission
from serving.decisions.replay import ReplayStatus, replay
from serving.log import operations
from serving.store.migrate import migrate
from tests.serving.cases.desk import OFFICER, case_of, take, verdict, view
from tests.serving.cases.desk import decided as decided_as
from tests.serving.feeding import subject_of, vault_of
from tests.serving.log.outsider import consistent, included, opened
from tests.serving.store.test_rights_migration import down_to
from tests.serving.test_cli import Done, yidai
from tests.serving.world import GOOD, LATE, MIDDLE, POOR, Bank, Client, problem

PAGE = Path(__file__).parents[3] / "docs" / "audit.md"
SAME = {ReplayStatus.SAME}


@pytest.fixture(scope="module")
def auditor(client: Client) -> Client:
    return client.as_("auditor")


def sealed(bank: Bank) -> int:
    """What the worker does."""
    return operations.seal_all(bank.settings, bank.database, bank.clock())


def decided(client: Client, number: str) -> str:
    got = client.decide(number, client.consent_id(number))
    assert got.status_code == 201, got.text
    return str(got.json()["decision_id"])


def proven(auditor: Client, name: str) -> int:
    """The outsider's whole work: signature, leaf, path. Gives the size of the tree."""
    key = base64.b64decode(auditor.ask("GET", "/v1/log/keys").json()[0]["public_key"])
    _, size, root = opened(auditor.ask("GET", "/v1/log/checkpoint").text, key)
    told = auditor.ask("GET", "/v1/log/inclusion", params={"decision": name}).json()
    ciphertext = auditor.ask("GET", "/v1/log/receipt", params={"decision": name}).content
    answer = auditor.ask("GET", f"/v1/decisions/{name}").content
    kind, decision, receipt, answered, _ = told["entry"].splitlines()
    assert (kind, decision) == ("yidai/receipt/1", name)
    assert (receipt, answered) == (hashlib.sha256(ciphertext).hexdigest(), hashlib.sha256(answer).hexdigest())
    path = [base64.b64decode(one) for one in told["proof"]]
    assert included(told["entry"].encode(), told["leaf_index"], size, path, root)
    assert told["tree_size"] == size
    return size


def test_before_anything_is_sealed(client: Client, auditor: Client, bank: Bank) -> None:
    name = decided(client, GOOD)
    problem(auditor.ask("GET", "/v1/log/checkpoint"), 404, "nothing_sealed")
    assert auditor.ask("GET", "/v1/log/keys").json() == []
    assert sealed(bank) == 1
    proven(auditor, name)
    later = decided(client, LATE)
    problem(auditor.ask("GET", "/v1/log/inclusion", params={"decision": later}), 404, "not_sealed")


def test_every_kind_of_decision_is_in_the_log_and_the_log_only_grew(
    client: Client, auditor: Client, bank: Bank
) -> None:
    key = base64.b64decode(auditor.ask("GET", "/v1/log/keys").json()[0]["public_key"])
    _, first, old = opened(auditor.ask("GET", "/v1/log/checkpoint").text, key)
    reviewed = decided_as(client, MIDDLE, "refer")
    case = case_of(client, reviewed)["case_id"]
    assert take(client, case).status_code == 200
    seen = view(client, case)["seen"]
    closed = client.as_(OFFICER).ask("POST", f"/v1/cases/{case}/decide", json=verdict(seen, "decline"))
    person = closed.json()["linked_id"]
    assert sealed(bank) >= 3
    for name in (reviewed, person):
        assert proven(auditor, name) > first
    told = auditor.ask("GET", "/v1/log/consistency", params={"from": first}).json()
    _, second, new = opened(told["checkpoint"], key)
    proof = [base64.b64decode(one) for one in told["proof"]]
    assert consistent(first, second, proof, old, new)
    assert not consistent(first, second, proof, new, old)
    earlier = auditor.ask("GET", "/v1/log/consistency", params={"from": first, "to": second - 1}).json()
    assert (earlier["second_size"], earlier["checkpoint"]) == (second - 1, None)


def test_who_was_erased_is_erased_in_replay_and_verifies_in_the_log(
    client: Client, auditor: Client, bank: Bank
) -> None:
    name = decided(client, POOR)
    assert sealed(bank) >= 1
    vault_of(bank).erase(subject_of(bank, POOR))
    found = replay(bank.settings, bank.database, bank.authority("auditor", Permission.REPLAY))
    states = {str(each.decision_id): each.status for each in found}
    assert states.pop(name) is ReplayStatus.ERASED
    assert set(states.values()) == SAME
    proven(auditor, name)
    done = command(bank, "audit", "verify")
    assert (done.returncode, "nothing was changed" in done.stdout) == (0, True), done.stdout + done.stderr


@pytest.mark.parametrize(
    ("path", "status", "code"),
    [
        ("inclusion?decision={unknown}", 404, "unknown_decision"), ("receipt?decision={unknown}", 404, "unknown_decision"),
        ("inclusion?decision={name}&size=999", 422, "no_such_tree"), ("inclusion?decision={name}&size=0", 422, ""),
        ("inclusion?decision=x", 422, ""), ("consistency?from=999", 422, "no_such_tree"), ("consistency", 422, ""),
        ("consistency?from=2&to=1", 422, "no_such_tree"), ("consistency?from=1&to=999", 422, "no_such_tree"),
    ],
)  # fmt: skip
def test_what_cannot_be_proven_is_refused_with_its_place(
    client: Client, auditor: Client, bank: Bank, path: str, status: int, code: str
) -> None:
    name = decided(client, GOOD)
    sealed(bank)
    problem(auditor.ask("GET", f"/v1/log/{path.format(unknown=uuid4(), name=name)}"), status, code)


def test_another_tenants_log_is_another_log(client: Client, auditor: Client, bank: Bank) -> None:
    name = decided(client, GOOD)
    sealed(bank)
    stranger = client.as_("stranger")
    for path in (f"inclusion?decision={name}", f"receipt?decision={name}"):
        theirs = problem(stranger.ask("GET", f"/v1/log/{path}"), 404, "unknown_decision")
        nobodys = stranger.ask("GET", f"/v1/log/{path.replace(name, str(uuid4()))}")
        assert theirs == problem(nobodys, 404)
    problem(stranger.ask("GET", "/v1/log/checkpoint"), 404, "nothing_sealed")
    problem(stranger.ask("GET", "/v1/log/consistency?from=1"), 404, "nothing_sealed")
    assert stranger.ask("GET", "/v1/log/keys").json() == []


def command(bank: Bank, *words: str) -> Done:
    """A command of the auditor's."""
    settings = bank.settings
    return yidai(
        settings.home, *words, YIDAI_TOKEN=bank.tokens["auditor"], YIDAI_DATABASE_URL=settings.database_url,
        YIDAI_MASTER_KEY_FILE=str(settings.key_file),
    )  # fmt: skip


def test_a_finding_ends_the_command_with_one(client: Client, bank: Bank, tmp_path: Path) -> None:
    sealed(bank)
    note = command(bank, "audit", "checkpoint").stdout
    root = note.splitlines()[2]
    (tmp_path / "forged.txt").write_text(note.replace(root, "A" * 43 + "="))
    done = command(bank, "audit", "verify", "--json", "--checkpoint", str(tmp_path / "forged.txt"))
    assert (done.returncode, '"part":"kept checkpoint"' in done.stdout) == (1, True), (
        done.stdout + done.stderr
    )
    done = command(bank, "audit", "verify", "--checkpoint", str(tmp_path / "none.txt"))
    assert (done.returncode, "none.txt" in done.stderr) == (2, True)


def test_every_command_and_request_of_the_auditors_page(
    client: Client, auditor: Client, bank: Bank, address: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    name = decided(client, GOOD)
    sealed(bank)
    monkeypatch.chdir(tmp_path)
    told = [
        line for block in re.findall(r"```console\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)
        for line in block.splitlines()
    ]  # fmt: skip
    said, done = "", 0
    for line in told:
        if not line.startswith("$ "):
            assert re.search(re.sub(r"\d+", r"\\d+", re.escape(line)), said), (line, said)
            continue
        words = shlex.split(line[2:].replace("$ID", name))
        if words[0] == "curl":
            got = auditor.ask("GET", words[2].removeprefix("localhost:8100"))
            assert got.status_code == 200, (line, got.text)
        else:
            kept = words[words.index(">") + 1] if ">" in words else ""
            ran = command(bank, *[word for word in words[1:] if word not in {">", kept}])
            assert ran.returncode == 0, (line, ran.stdout + ran.stderr)
            said = ran.stdout
            if kept:
                Path(kept).write_text(said, encoding="utf-8")
        done += 1
    assert done == len(re.findall(r"^\$ ", "\n".join(told), re.MULTILINE)) == 10


def test_after_a_migration_back_and_forth_all_replays_and_is_sealed_anew(client: Client, bank: Bank) -> None:
    name = decided(client, LATE)
    before = sealed(bank)
    assert before >= 1
    down_to(bank.database, "0014")
    migrate(bank.database)
    found = {
        str(each.decision_id): each.status
        for each in replay(bank.settings, bank.database, bank.authority("auditor", Permission.REPLAY))
    }
    assert found[name] is ReplayStatus.SAME
    assert set(found.values()) <= {ReplayStatus.SAME, ReplayStatus.ERASED}
    assert sealed(bank) == len(found)
    assert "nothing was changed" in command(bank, "audit", "verify").stdout
