"""A loan told record by record over HTTP: where it stands now, and where it was known to stand before."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from features.canonical import code_of
from features.timeline.lake import Lake
from serving.store.session import owner_transaction, tenant_transaction
from serving.watch.book import names
from tests.serving.loans.desk import DRAWDOWN, Desk, drawn, feed_loan, total
from tests.serving.world import Bank, Client

LATER = "2025-01-02T09:30:00+08:00"


def test_a_loan_is_granted_drawn_and_paid(client: Client) -> None:
    desk = Desk(client)
    made = desk.grant().json()["loan"]
    assert (made["state"], made["limit_fen"], made["mob"], made["lines"]) == ("undrawn", 120_000, None, [])
    desk.tell("drawdowns", **DRAWDOWN)
    paid = desk.pay("2024-07-05T12:00:00", 40_600).json()["loan"]
    assert (paid["state"], paid["balance_fen"], paid["mob"]) == ("active", 80_000, 7)
    assert (paid["dpd"], paid["bucket"], total(paid["overdue"])) == (150, "90+", 80_600)
    first, second, _ = paid["lines"]
    assert (first["settled_on"], total(first["owed"])) == ("2024-07-05", 0)
    assert (second["settled_on"], second["owed"]["principal_fen"]) == (None, 40_000)
    assert [event["kind"] for event in paid["events"]] == ["drawdown", "payment"]


def test_for_each_part_paid_and_owed_is_due(client: Client) -> None:
    desk = drawn(client)
    desk.tell("fees", at="2024-07-20", amount_fen=500, days=10)
    desk.pay("2024-07-25", 20_000)
    desk.tell("extensions", at="2024-08-01", days=20, interest_fen=90)
    found = desk.pay("2024-08-10", 33_333).json()["loan"]
    for part, due in found["due"].items():
        assert due == found["paid"][part] + found["owed"][part]
    assert total(found["paid"]) + found["surplus_fen"] == 53_333
    assert [line["due_on"] for line in found["lines"]][-2:] == ["2024-08-25", "2024-09-25"]


def test_a_schedule_may_follow_from_terms(client: Client) -> None:
    desk = Desk(client)
    desk.grant()
    terms = {"repayment": "interest_first", "annual_rate_ppm": 120_000, "months": 3}
    got = desk.tell("drawdowns", at="2024-06-05T10:00:00", amount_fen=100_000, terms=terms).json()["loan"]
    assert [(x["due_on"], total(x["due"])) for x in got["lines"]] == [
        ("2024-07-05", 1_000), ("2024-08-05", 1_000), ("2024-09-05", 101_000),
    ]  # fmt: skip


def test_several_part_payments_of_one_instalment_are_several(client: Client) -> None:
    desk = drawn(client)
    for day in ("02", "03", "04"):
        desk.pay(f"2024-07-{day}", 13_000)
    found = desk.read()
    assert total(found["paid"]) == 39_000
    assert total(found["lines"][0]["owed"]) == 1_600


def test_an_old_date_changes_all_after_it_and_nothing_that_was_told_before(client: Client) -> None:
    desk = drawn(client)
    desk.pay("2024-08-20", 41_000)
    before = desk.read()
    assert (before["times_late"], before["lines"][0]["settled_on"]) == (3, "2024-08-20")
    late = desk.pay("2024-07-04", 40_600).json()["loan"]
    assert late["lines"][0]["settled_on"] == "2024-07-04"
    assert (late["times_late"], late["dpd"]) == (2, before["dpd"] - 31)
    assert desk.read(before["as_of"]) == before


def test_a_loan_is_not_seen_before_it_was_known(client: Client) -> None:
    desk = drawn(client)
    got = client.ask("GET", f"/v1/loans/{desk.loan}", params={"as_of": "2024-12-01"})
    assert (got.status_code, got.json()["code"]) == (404, "unknown_loan")


def test_a_repeated_call_doubles_nothing_and_gives_the_same(client: Client) -> None:
    desk = drawn(client)
    once = desk.pay("2024-07-05", 40_600)
    first = desk.tell("payments", key="one", at="2024-08-05", amount_fen=100)
    desk.pay("2024-08-06", 200)
    assert desk.tell("payments", key="one", at="2024-08-05", amount_fen=100).content == first.content
    by_name = {"at": "2024-08-07", "amount_fen": 300, "reference": "bank 7"}
    named = desk.tell("payments", **by_name)
    assert desk.tell("payments", **by_name).content == named.content
    assert total(desk.read()["paid"]) == 40_600 + 100 + 200 + 300
    assert once.status_code == first.status_code == named.status_code == 201


def test_a_grant_is_made_once_under_a_key(client: Client) -> None:
    desk = Desk(client)
    first = desk.grant(key="granted once")
    assert desk.grant(key="granted once").content == first.content
    other = desk.grant(key="granted once", limit_fen=5)
    assert (other.status_code, other.json()["code"]) == (409, "recorded_otherwise")


def test_of_calls_at_once_under_one_key_one_counts_and_all_are_told_the_same(client: Client) -> None:
    desk = drawn(client)

    def call(number: int) -> bytes:
        return desk.tell("payments", key=f"at once {number % 2}", at="2024-07-01", amount_fen=50).content

    with ThreadPoolExecutor(8) as crowd:
        answers = list(crowd.map(call, range(8)))
    assert len(set(answers)) == 2
    assert total(desk.read()["paid"]) == 100


def test_after_a_charge_off_recoveries_come_in(client: Client) -> None:
    desk = drawn(client)
    gone = desk.tell("charge-offs", at="2024-12-10").json()["loan"]
    assert (gone["state"], gone["balance_fen"], gone["charged_off_fen"]) == ("charged_off", 0, 120_000)
    back = desk.tell("recoveries", at="2024-12-20", amount_fen=5_000).json()["loan"]
    assert back["recovered_fen"] == total(back["paid"]) == 5_000


def test_a_restructuring_asks_for_its_own_schedule(client: Client) -> None:
    desk = drawn(client)
    desk.pay("2024-07-05", 40_600)
    lines = [{"due_on": "2025-03-05", "principal_fen": 80_000, "interest_fen": 900}]
    got = desk.tell("restructurings", at="2024-12-01", schedule=lines).json()["loan"]
    assert (got["dpd"], total(got["owed"]), got["balance_fen"]) == (0, 80_900, 80_000)


def test_what_was_acknowledged_is_in_the_store_as_rows_of_the_timeline(client: Client, bank: Bank) -> None:
    desk = drawn(client)
    with owner_transaction(bank.database) as owner:
        before = owner.execute("SELECT count(*) FROM record_tail WHERE dataset LIKE 'loan_%%'").fetchone()
        desk.pay("2024-07-05", 1)
        after = owner.execute("SELECT count(*) FROM record_tail WHERE dataset LIKE 'loan_%%'").fetchone()
    assert after[0] == before[0] + 1


CUT = """
CREATE FUNCTION cut_off() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE 'cut off'; END $$;
CREATE TRIGGER cut_off BEFORE INSERT ON audit_log FOR EACH ROW WHEN (NEW.action = 'loan.drawdown') EXECUTE FUNCTION cut_off()"""
WHOLE = "DROP TRIGGER cut_off ON audit_log; DROP FUNCTION cut_off()"


def test_a_call_that_is_cut_off_at_its_last_step_leaves_nothing_and_is_done_once_when_repeated(
    client: Client, bank: Bank
) -> None:
    desk = Desk(client)
    desk.grant()
    before = desk.read()
    with owner_transaction(bank.database) as owner:
        owner.execute(CUT)
    assert desk.tell("drawdowns", key="again", **DRAWDOWN).status_code == 500
    with owner_transaction(bank.database) as owner:
        owner.execute(WHOLE)
    assert desk.read() | {"as_of": ""} == before | {"as_of": ""}
    for _ in range(2):
        got = desk.tell("drawdowns", key="again", **DRAWDOWN).json()["loan"]
    assert (len(got["lines"]), got["due"]["principal_fen"]) == (3, 120_000)


def test_the_watch_names_a_loan_that_was_granted_here(client: Client, bank: Bank) -> None:
    desk = drawn(client)
    with tenant_transaction(bank.database, "city") as connection:
        assert names(Lake(bank.settings.lake_root), connection, feeds=True)[code_of(desk.loan)] == desk.loan
    with tenant_transaction(bank.database, "other") as connection:
        assert code_of(desk.loan) not in names(Lake(bank.settings.lake_root), connection, feeds=True)


def test_the_book_is_paged_and_chosen_by_band_and_state(client: Client) -> None:
    late, paid = drawn(client), drawn(client)
    paid.pay("2024-06-20", 121_200)
    now = {"as_of": paid.read()["as_of"]}
    rows, after = [], ""
    while True:
        got = client.ask("GET", "/v1/loans", params={"most": 3, "after": after, **now}).json()
        rows += got["rows"]
        if not (after := got["after"]):
            break
    found = {row["loan_id"]: row for row in rows}
    assert len(found) == len(rows) == got["loans"]
    one = late.read()
    assert found[late.loan] == {
        "loan_id": late.loan, "owed_fen": total(one["owed"]), "overdue_fen": total(one["overdue"]), "refused": 0,
    } | {name: one[name] for name in ("state", "dpd", "bucket", "balance_fen", "mob", "first_payment_default", "times_late")}  # fmt: skip
    settled = client.ask("GET", "/v1/loans", params={"state": "settled", **now}).json()["rows"]
    worst = client.ask("GET", "/v1/loans", params={"bucket": "90+", **now}).json()["rows"]
    assert paid.loan in {row["loan_id"] for row in settled}
    assert late.loan in {row["loan_id"] for row in worst}
    assert not {row["loan_id"] for row in settled} & {row["loan_id"] for row in worst}


def test_another_tenant_has_no_such_loan_and_an_empty_book(client: Client) -> None:
    desk = drawn(client)
    other = client.as_("stranger")
    assert other.ask("GET", f"/v1/loans/{desk.loan}").status_code == 404
    assert other.ask("GET", "/v1/loans").json()["rows"] == []


def test_a_samples_loan_and_book_are_read_as_of_its_moment(
    client: Client, bank: Bank, tmp_path: Path
) -> None:
    feed_loan(bank, tmp_path, "SAMPLE 1")
    ours = drawn(client)
    one = client.ask("GET", "/v1/loans/SAMPLE 1").json()
    assert (one["as_of"][:10], one["dpd"]) == ("2024-12-31", 30)
    assert client.ask("GET", "/v1/loans/SAMPLE 1", params={"as_of": LATER}).json()["dpd"] == 32
    book = client.ask("GET", "/v1/loans").json()
    assert book["as_of"][:10] == "2024-12-31"
    assert [(row["loan_id"], row["dpd"]) for row in book["rows"]] == [("SAMPLE 1", 30)]
    assert ours.read()["dpd"] == 181, "what was told of since is read as of now"
