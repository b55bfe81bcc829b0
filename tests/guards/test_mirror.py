"""Guard where tests are: each module has a test file of its name in the same folder of tests/."""

from __future__ import annotations

from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PACKAGE, TESTS = ROOT / "newsletter", ROOT / "tests"
# Modules without a test file of their name, and a test file that uses the module.
ELSEWHERE = {
    "app.py": "cli/test_db.py",
    "bounces/reports/path_checks.py": "service/checks/test_path_check.py",
    "bounces/history/queries.py": "bounces/reports/test_receive.py",
    "bounces/read/report.py": "bounces/read/test_delivery_status.py",
    "bounces/read/wording.py": "bounces/read/test_reasons.py",
    "bounces/read_header.py": "bounces/test_classify.py",
    "bounces/ways_in/account.py": "bounces/ways_in/test_imap_sign_in.py",
    "bounces/ways_in/imap.py": "service/mailboxes/test_dovecot.py",
    "cli/context.py": "cli/test_locales.py",
    "cli/settings.py": "cli/test_run_commands.py",
    "clock.py": "cli/issues/test_digest.py",
    "demo/check.py": "flows/test_demo_check.py",
    "demo/run.py": "demo/test_data.py",
    "digest/archive.py": "subscribers/choices/test_change_address.py",
    "digest/preview.py": "digest/test_issues.py",
    "digest/schedule/approval_dates.py": "digest/schedule/test_approval.py",
    "errors.py": "accounts/test_create.py",
    "ingest/feeds/feed.py": "ingest/feeds/test_read.py",
    "ingest/press/dates/calendars.py": "ingest/press/dates/test_find.py",
    "ingest/press/lines/labels.py": "ingest/press/lines/test_line.py",
    "jobs/app.py": "jobs/test_cleanup.py",
    "jobs/broker.py": "service/checks/test_settings_check.py",
    "jobs/queues.py": "jobs/test_wake.py",
    "languages.py": "cli/test_language.py",
    "limits/keys.py": "limits/test_visits.py",
    "limits/spend.py": "test_throttle.py",
    "links.py": "guards/test_routes.py",
    "messages/claimed.py": "subscribers/signup/test_resolve.py",
    "messages/kinds.py": "guards/test_email_kinds.py",
    "models/rendition_key.py": "messages/digests/test_recompose.py",
    "models/scrub.py": "subscribers/privacy/test_erase.py",
    "messages/counted_links.py": "digest/clicks/test_count.py",
    "messages/templates/parts.py": "newsletters/templates/test_check.py",
    "messages/templates/process.py": "messages/templates/test_own.py",
    "messages/templates/stored.py": "messages/templates/test_own.py",
    "newsletters/fields.py": "newsletters/test_edit.py",
    "newsletters/templates/samples.py": "newsletters/templates/test_check.py",
    "models/tables/issue_order.py": "digest/order/test_store.py",
    "models/tables/returned_mail.py": "bounces/reports/test_receive.py",
    "models/tables/schedule.py": "calendar/test_store.py",
    "models/tables/webhook_event.py": "bounces/reports/test_take_events.py",
    "models/tables/subscription.py": "service/processes/test_whole_service.py",
    "outbox/enqueue.py": "outbox/pacing/test_allowance.py",
    "outbox/journals/holders.py": "outbox/test_recover.py",
    "outbox/lease.py": "outbox/pacing/setup/test_wait.py",
    "outbox/owner/email.py": "flows/test_list_bombing.py",
    "outbox/pacing/setup/relay_checks.py": "service/checks/test_relay_check.py",
    "outbox/pacing/sending_window.py": "outbox/pacing/test_pace.py",
    "outbox/pacing/setup_refusals.py": "outbox/pacing/setup/test_wait.py",
    "outbox/pacing/standings.py": "outbox/pacing/test_allowance.py",
    "outbox/record.py": "outbox/test_control.py",
    "outbox/refused/held_domains.py": "outbox/refused/test_ask_owner.py",
    "outbox/refused/notices.py": "outbox/refused/test_ask_owner.py",
    "outbox/refused/outcome_keys.py": "outbox/refused/test_ask_owner.py",
    "outbox/refused/owner_decisions.py": "outbox/refused/test_ask_owner.py",
    "outbox/refused/reported.py": "bounces/reports/test_receive.py",
    "outbox/reports/progress.py": "outbox/test_recover.py",
    "releases/due_holds.py": "releases/test_holds.py",
    "releases/fold.py": "releases/rules/test_match_words.py",
    "releases/search/index.py": "releases/search/test_follow.py",
    "releases/topics/manage.py": "releases/test_store.py",
    "runtime.py": "cli/bounces/test_bounce.py",
    "service/catalogues.py": "guards/test_catalogues.py",
    "service/database/schema.py": "service/checks/test_settings_check.py",
    "service/database/fingerprints.py": "releases/duplicates/test_find.py",
    "service/heartbeat.py": "cli/issues/test_digest.py",
    "service/processes/programs.py": "service/processes/test_whole_service.py",
    "service/sending/send_round.py": "test_old_installation.py",
    "outbox/drain/held.py": "outbox/drain/test_worker.py",
    "service/web_server.py": "service/test_web_worker.py",
    "smtp/authentication/access_token.py": "smtp/authentication/test_sign_in.py",
    "smtp/endpoint.py": "smtp/test_greeting.py",
    "smtp/outcomes.py": "smtp/test_commands.py",
    "subscribers/address_marks.py": "subscribers/privacy/retention/test_run.py",
    "subscribers/consent/descriptions.py": "subscribers/consent/test_chain.py",
    "subscribers/consent/record.py": "subscribers/consent/test_chain.py",
    "subscribers/consent/signature.py": "subscribers/consent/test_chain.py",
    "subscribers/consent/wording.py": "subscribers/consent/test_ledger.py",
    "subscribers/leaving/reasons.py": "web/public/test_unsubscribe.py",
    "subscribers/offered_topics.py": "releases/topics/test_edit.py",
    "subscribers/leaving/undo.py": "subscribers/leaving/test_unsubscribe.py",
    "subscribers/choices/stay.py": "web/public/test_stay.py",
    "subscribers/link.py": "subscribers/choices/test_change_address.py",
    "subscribers/privacy/emailed_links.py": "subscribers/privacy/test_erase.py",
    "subscribers/privacy/empty_address.py": "subscribers/consent/test_chain.py",
    "subscribers/signup/admit.py": "web/public/signup/test_embed.py",
    "subscribers/signup/confirmation_limits.py": "subscribers/signup/test_hold.py",
    "subscribers/signup/email_limits.py": "subscribers/privacy/test_erase.py",
    "subscribers/signup/request.py": "subscribers/signup/test_hold.py",
    "web/admin/session.py": "web/admin/test_sign_in.py",
    "web/erase_everywhere.py": "web/public/test_privacy.py",
    "web/http/display.py": "web/http/test_language.py",
    "web/http/security.py": "web/public/signup/test_receive.py",
    "web/http/time_zones.py": "web/public/signup/test_page.py",
    "web/mailbox/stored_emails.py": "web/mailbox/test_pages.py",
    "web/http/link_subscriber.py": "web/http/test_this_newsletter.py",
}
# No test names these, and why not.
THROUGH_OTHERS = {
    "Columns and constraints only: guards/test_migrations.py compares them with the migrations.": {
        "models/tables/account.py",
        "models/tables/address_rule.py",
        "models/tables/bounce.py",
        "models/tables/bounce_step.py",
        "models/tables/consent.py",
        "models/tables/correction_notice.py",
        "models/tables/delivery.py",
        "models/tables/duplicate.py",
        "models/tables/image.py",
        "models/tables/issue.py",
        "models/tables/mailbox.py",
        "models/tables/newsletter.py",
        "models/tables/notice.py",
        "models/tables/operation.py",
        "models/tables/release.py",
        "models/tables/source.py",
        "models/tables/subscriber.py",
        "models/tables/topic.py",
        "models/search_index.py",
    },
    "It starts a process: service/processes/test_whole_service.py and flows/ run it as a program.": {
        "__main__.py",
        "cli/processes/beat.py",
        "cli/demo.py",
        "cli/processes/run.py",
        "cli/processes/tried_settings.py",
        "cli/processes/web.py",
        "cli/processes/worker.py",
        "cli/processes/wsgi.py",
        "jobs/worker.py",
    },
    "The program in the process that isolation/test_process.py starts.": {"isolation/child.py"},
    "It only makes Flask's objects, without a decision: each test of web/ uses them.": {
        "web/http/extensions.py",
        "web/public/blueprint.py",
    },
    "A command that calls one function: consent/test_chain.py, test_relay_check.py and cli/ run it.": {
        "cli/releases/print_release.py",
        "cli/relay.py",
        "cli/runtime.py",
    },
    "A step of reading a feed: feeds/test_read.py and test_isolated_reader.py read whole documents.": {
        "ingest/feeds/check_xml.py",
        "ingest/feeds/json_feed.py",
        "ingest/read_document.py",
        "ingest/feeds/make_item.py",
        "ingest/feeds/rss_atom.py",
    },
    "A step of polling: service/polling/test_poll_sources.py and cli/test_source.py test it.": {
        "ingest/sources/reading/fetch.py",
        "ingest/sources/record.py",
        "service/polling/fetch_threads.py",
        "service/polling/read_source.py",
        "service/polling/write_source.py",
        "releases/from_sources/keys.py",
        "releases/rules/match_topics.py",
    },
    "The program of the template process: newsletters/templates/test_check.py asks it.": {
        "messages/templates/fill.py"
    },
    "A step of making a digest: digest/test_issues.py and test_recompose.py read whole messages.": {
        "messages/digests/corrections.py",
        "messages/digests/render.py",
    },
    "A step of the release parser: ingest/press/test_parse.py compares whole releases.": {
        "ingest/press/body.py",
        "ingest/press/dated_lines.py",
        "ingest/press/head.py",
        "ingest/press/publisher.py",
        "ingest/press/title.py",
    },
    "A step of waiting for refused settings: outbox/pacing/setup/test_wait.py has relays that refuse.": {
        "outbox/pacing/setup/acceptances.py",
        "outbox/pacing/setup/owner_notices.py",
    },
    "A step of a drain: outbox/drain/test_worker.py sends whole issues.": {
        "outbox/drain/claimer.py",
        "outbox/parts.py",
        "outbox/drain/recorder.py",
        "outbox/drain/relay_drain.py",
    },
    "It stores the versions of a newsletter: newsletters/test_edit.py reads what it stored.": {
        "newsletters/store.py",
    },
    "It forks processes: outbox/test_recover.py and test_crash.py run `newsletter worker --drain`.": {
        "service/sending/drain.py",
    },
    "A step of reading a mailbox: service/mailboxes/test_watch.py and test_dovecot.py read whole ones.": {
        "bounces/ways_in/pop3.py",
        "service/mailboxes/read_imap.py",
        "service/mailboxes/read_pop3.py",
    },
    "The steps of retention: retention/test_run.py runs each by its name.": {
        "subscribers/privacy/retention/addresses.py",
        "subscribers/privacy/retention/emails.py",
        "subscribers/privacy/retention/events.py",
    },
    "A part of pages: web/admin, web/public and flows/ send requests to these pages.": {
        "web/admin/forms.py",
        "web/archive/blueprint.py",
        "web/archive/choice.py",
        "web/http/by_address.py",
        "web/public/change_address.py",
        "web/public/forms.py",
        "web/public/personal_settings.py",
        "web/public/preferences.py",
        "web/public/responses.py",
        "web/public/signup/challenge.py",
        "web/public/thanks_pages.py",
    },
}


def without_own_tests() -> set[str]:
    """Return the modules that have no test file of their name in the same folder of tests/."""
    modules = (path.relative_to(PACKAGE) for path in PACKAGE.rglob("*.py") if path.name != "__init__.py")
    return {each.as_posix() for each in modules if not (TESTS / each.parent / f"test_{each.name}").is_file()}


def test_each_module_has_a_test_file_of_its_name_or_an_entry_here():
    assert without_own_tests() == ELSEWHERE.keys() | set().union(*THROUGH_OTHERS.values())


def test_the_test_file_of_an_entry_uses_its_module():
    wrong = {
        module: test
        for module, test in ELSEWHERE.items()
        if f"newsletter.{module.removesuffix('.py').replace('/', '.')}"
        not in (TESTS / test).read_text("utf-8")
    }

    assert wrong == {}
