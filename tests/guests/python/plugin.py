"""A plugin in Python: greets, and fails on request."""

import json

from componentize_py_types import Err
from wit_world import exports
from wit_world.exports.action import ActionInfo, Failure, Issue, Outcome, RetryAdvice_Never
from wit_world.imports import logging, progress, run_context

GREET = ActionInfo(
    name="greet",
    title="Greet someone",
    description="Logs a greeting and answers it.",
    params_schema=json.dumps({
        "type": "object",
        "properties": {"name": {"type": "string"}, "fail": {"type": "boolean", "default": False}},
        "required": ["name"],
        "additionalProperties": False,
    }),
    output_schema=json.dumps({
        "type": "object",
        "properties": {"greeting": {"type": "string"}, "job": {"type": "string"}},
        "required": ["greeting", "job"],
    }),
    examples=[json.dumps({"name": "world"})],
    idempotent=True,
)


class Action(exports.Action):
    def describe(self):
        return [GREET]

    def validate(self, action, params):
        if json.loads(params)["name"] == "":
            raise Err([Issue(pointer="/name", message="nobody is called that")])

    def run(self, request):
        params = json.loads(request.params)
        name = params["name"]
        job = run_context.get().job_name
        logging.emit(logging.Level.INFO, f"greeting {name}", [("language", json.dumps("python"))])
        progress.report(progress.Update(completed=1, total=1, unit="greetings", message=None))
        if params.get("fail") or run_context.cancel_requested() is not None:
            raise Err(Failure(
                code="asked-to",
                message="the job asked for a failure",
                retry=RetryAdvice_Never(),
                detail=json.dumps({"name": name}),
            ))
        output = json.dumps({"greeting": f"hello, {name}", "job": job})
        return Outcome(summary=f"greeted {name}", output=output, changed=False, warnings=[])
