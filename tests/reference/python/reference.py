"""Answers what independent libraries say of schedules.

Reads one JSON request a line and writes one JSON answer a line. Instants are seconds since the Unix epoch. A library that
refuses an expression is answered with {"refused": why}.
"""

import json
import sys
import warnings
from datetime import datetime, timedelta, timezone
from zoneinfo import ZoneInfo

from croniter import croniter
from cronsim import CronSim, CronSimError


def ask_cronsim(request):
    """The next fires of a cron expression in a zone."""
    zone = timezone.utc if request["zone"] == "UTC" else ZoneInfo(request["zone"])
    start = datetime.fromtimestamp(request["from"], zone)
    try:
        fires = CronSim(request["expression"], start)
        found = []
        for _ in range(request["count"]):
            fire = next(fires, None)
            if fire is None:
                break
            found.append(int(fire.timestamp()))
        return {"fires": found}
    except CronSimError as error:
        return {"refused": str(error)}


def ask_croniter(request):
    """The next fires of a cron expression in UTC."""
    start = datetime.fromtimestamp(request["from"], timezone.utc)
    try:
        fires = croniter(request["expression"], start, implement_cron_bug=True, max_years_between_matches=200)
        return {"fires": [int(fires.get_next(float)) for _ in range(request["count"])]}
    except Exception as error:
        return {"refused": str(error)}


def ask_local_times(request):
    """The instants of a local time on consecutive days, by each rule for gaps and folds."""
    zone = ZoneInfo(request["zone"])
    first = datetime.fromisoformat(request["first"])
    answer = {"shift": [], "end": [], "skip": [], "first": [], "last": [], "both": []}
    for day in range(request["days"]):
        local = first + timedelta(days=day)
        earlier, later = (local.replace(tzinfo=zone, fold=fold) for fold in (0, 1))
        # zoneinfo takes the offset before a change for fold 0 and the one after it for fold 1 (PEP 495).
        one, other = (int(time.timestamp()) for time in (earlier, later))
        exists = datetime.fromtimestamp(one, zone).replace(tzinfo=None) == local
        if not exists:
            answer["shift"].append(one)
            answer["end"].append(end_of_gap(zone, other, one))
        elif one == other:
            for rule in answer.values():
                rule.append(one)
        else:
            for rule in ("shift", "end", "skip", "first", "both"):
                answer[rule].append(one)
            answer["last"].append(other)
            answer["both"].append(other)
    # Days without the local time count for the rules on gaps alone, days with two for those on folds.
    return {rule: sorted(set(instants)) for rule, instants in answer.items()}


def end_of_gap(zone, before, after):
    """The first instant after the change of offset between two instants."""
    def offset(instant):
        return datetime.fromtimestamp(instant, zone).utcoffset()

    low, high = min(before, after) - 1, max(before, after)
    while high - low > 1:
        middle = (low + high) // 2
        if offset(middle) == offset(low):
            low = middle
        else:
            high = middle
    return high


ANSWERS = {"cronsim": ask_cronsim, "croniter": ask_croniter, "local_times": ask_local_times}

if __name__ == "__main__":
    warnings.simplefilter("ignore")
    for line in sys.stdin:
        request = json.loads(line)
        print(json.dumps(ANSWERS[request["ask"]](request)), flush=False)
