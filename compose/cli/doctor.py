"""`doctor`: what is wrong with this instance, and what to do about it."""

import json
from dataclasses import replace
from datetime import UTC, datetime
from typing import Annotated

import typer

from compose.cli.here import site_here
from compose.cli.terminal import out
from compose.local.doctor.contained import in_words_of_compose
from compose.local.doctor.examination import Report, examine, patient_of
from compose.local.doctor.finding import Finding, Severity
from shared.events.event import printable


def doctor(
    context: typer.Context,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object a finding, one a line.")] = False,
) -> None:
    """Find the usual faults and say what to do. It changes nothing. Exit code 1 where something is broken."""
    site = site_here(context)
    report = examine(patient_of(site, datetime.now(UTC)))
    if site.contained:
        report = replace(report, findings=[(check, _said_there(finding)) for check, finding in report.findings])
    (_tell_machines if as_json else _tell_people)(report)
    if not report.well:
        raise typer.Exit(1)


def _said_there(finding: Finding) -> Finding:
    return replace(finding, remedy=in_words_of_compose(finding.remedy))


def _tell_machines(report: Report) -> None:
    for check, finding in report.findings:
        told = {
            "check": check.name,
            "severity": finding.severity.value,
            "what": finding.what,
            "remedy": finding.remedy,
            "lines": finding.lines,
        }
        out.print_json(json.dumps(told), indent=None)


def _tell_people(report: Report) -> None:
    for check, finding in report.findings:
        broken = finding.severity is Severity.BROKEN
        out.print(f"[{'red' if broken else 'yellow'}]{'✗' if broken else '!'}[/] ", end="")
        out.print(printable(f"{check.name}: {finding.what} → {finding.remedy}"), markup=False)
        for line in finding.lines:
            out.print(f"    {printable(line)}", markup=False, style="dim")
    if not report.findings:
        out.print(f"nothing is wrong: {report.asked} checks in {report.seconds:.1f} s")
