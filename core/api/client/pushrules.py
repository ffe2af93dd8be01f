"""Push rules. Spec: Client-Server API, "Push Rules: API"."""

from __future__ import annotations

from flask import Blueprint, request
from flask.typing import ResponseReturnValue

from core.errors import BadRequest, InvalidParam
from core.ids import Requester
from core.push.rule_changes import Beside
from core.push.rule_checks import check_actions, check_kind, rule_from
from core.push.rules import PushRules
from core.web.gate import Gate
from core.web.json_body import read_json
from core.web.schemas import (
    Empty,
    JsonAny,
    JsonBool,
    JsonSchema,
    QueryString,
    dump,
    json_reply,
    load,
    load_query,
)

_ALL = "/_matrix/client/v3/pushrules/"
_GLOBAL = "/_matrix/client/v3/pushrules/global/"
_KIND = "/_matrix/client/v3/pushrules/global/<kind>/"
_RULE = "/_matrix/client/v3/pushrules/global/<kind>/<rule_id>"


class EnabledBody(JsonSchema):
    """The body of switching a rule."""

    enabled = JsonBool(required=True)


class ActionsBody(JsonSchema):
    """The body of setting a rule's actions."""

    actions = JsonAny(required=True)


class PlaceQuery(JsonSchema):
    """Where a rule is to stand."""

    before = QueryString(load_default=None)
    after = QueryString(load_default=None)


def blueprint(rules: PushRules, gate: Gate) -> Blueprint:
    """Reading and changing the caller's own rules."""
    bp = Blueprint("client_pushrules", __name__, url_prefix="")
    _add_reading(bp, rules, gate)
    _add_changing(bp, rules, gate)

    @bp.route(_ALL, methods=["PUT", "DELETE"], defaults={"rest": ""})
    @bp.route(_ALL + "<path:rest>", methods=["GET", "PUT", "DELETE"])
    def no_push_rule(rest: str) -> ResponseReturnValue:
        """Anything else below the rules."""
        gate.authenticate(request)
        raise _no_such_path()

    return bp


def _add_reading(bp: Blueprint, rules: PushRules, gate: Gate) -> None:
    @bp.get(_ALL)
    def get_push_rules() -> ResponseReturnValue:
        """All rules, under their only scope."""
        requester = gate.authenticate(request)
        _check_slash()
        return json_reply({"global": rules.of(requester.user_nid, requester.user_id)})

    @bp.get(_GLOBAL)
    def get_global_push_rules() -> ResponseReturnValue:
        """All rules."""
        requester = gate.authenticate(request)
        _check_slash()
        return json_reply(rules.of(requester.user_nid, requester.user_id))

    @bp.get(_KIND)
    def get_push_rules_of_kind(kind: str) -> ResponseReturnValue:
        """All rules of one kind: not of the specification any more, and clients of before ask for it."""
        requester = gate.authenticate(request)
        _check_slash()
        return json_reply(rules.of(requester.user_nid, requester.user_id)[check_kind(kind)])

    @bp.get(_RULE)
    def get_push_rule(kind: str, rule_id: str) -> ResponseReturnValue:
        """One rule."""
        return json_reply(_rule(gate.authenticate(request), kind, rule_id))

    @bp.get(_RULE + "/enabled")
    def get_push_rule_enabled(kind: str, rule_id: str) -> ResponseReturnValue:
        """Whether a rule is switched on."""
        return json_reply({"enabled": _rule(gate.authenticate(request), kind, rule_id)["enabled"]})

    @bp.get(_RULE + "/actions")
    def get_push_rule_actions(kind: str, rule_id: str) -> ResponseReturnValue:
        """A rule's actions."""
        return json_reply({"actions": _rule(gate.authenticate(request), kind, rule_id)["actions"]})

    def _rule(requester: Requester, kind: str, rule_id: str) -> dict[str, object]:
        return rules.rule(requester.user_nid, requester.user_id, check_kind(kind), rule_id)


def _add_changing(bp: Blueprint, rules: PushRules, gate: Gate) -> None:
    enabled_body, actions_body, place_query = EnabledBody(), ActionsBody(), PlaceQuery()

    @bp.put(_RULE)
    def put_push_rule(kind: str, rule_id: str) -> ResponseReturnValue:
        """Add or replace a rule of the caller's own."""
        requester = gate.authenticate(request)
        place = load_query(place_query, request)
        rule = rule_from(check_kind(kind), rule_id, read_json(request))
        rules.put(requester.user_nid, kind, rule, _beside(place["before"], place["after"]))
        return dump(Empty, {})

    @bp.delete(_RULE)
    def delete_push_rule(kind: str, rule_id: str) -> ResponseReturnValue:
        """Take a rule of the caller's own away."""
        requester = gate.authenticate(request)
        rules.delete(requester.user_nid, check_kind(kind), rule_id)
        return dump(Empty, {})

    @bp.put(_RULE + "/enabled")
    def put_push_rule_enabled(kind: str, rule_id: str) -> ResponseReturnValue:
        """Switch a rule on or off."""
        requester = gate.authenticate(request)
        body = load(enabled_body, request)
        rules.set_enabled(requester.user_nid, check_kind(kind), rule_id, body["enabled"])
        return dump(Empty, {})

    @bp.put(_RULE + "/actions")
    def put_push_rule_actions(kind: str, rule_id: str) -> ResponseReturnValue:
        """Set a rule's actions."""
        requester = gate.authenticate(request)
        actions = check_actions(load(actions_body, request)["actions"])
        rules.set_actions(requester.user_nid, check_kind(kind), rule_id, actions)
        return dump(Empty, {})


def _check_slash() -> None:
    """Raise BadRequest for a folder of rules without the slash at its end, which here is a part of the path."""
    if not request.environ["PATH_INFO"].endswith("/"):
        raise _no_such_path()


def _no_such_path() -> BadRequest:
    return BadRequest("There are /pushrules/, /pushrules/global/ and the rules below that.", errcode="M_UNRECOGNIZED")


def _beside(before: str | None, after: str | None) -> Beside | None:
    """Where to put the rule: `before` goes before `after`. Raises: InvalidParam for a default rule."""
    named = before if before is not None else after
    if named is None:
        return None
    if named.startswith("."):
        raise InvalidParam("A rule can stand before or after rules of your own only, not beside default rules.")
    return Beside(named, before is not None)
