"""What users have uploaded, as administrators' consoles list it, under Synapse's paths."""

from __future__ import annotations

from typing import Any

from flask import Blueprint, request
from flask.typing import ResponseReturnValue
from marshmallow.validate import OneOf, Range

from core.api.admin.media import shown
from core.errors import InvalidParam, NotFound
from core.ids import UserNid
from core.media.curation import Curation
from core.storage.media_lists import MediaLists, UserUsage, is_order
from core.storage.profiles import ProfileStore
from core.storage.users import UserStore
from core.web.gate import Gate
from core.web.schemas import JsonSchema, QueryInt, QueryString, json_reply, load_query

_V1 = "/_synapse/admin/v1"
_ORDERS = ("media_length", "media_count", "user_id", "displayname")


class PageQuery(JsonSchema):
    """Which page of a list."""

    start = QueryInt(data_key="from", load_default=0, validate=Range(min=0))
    limit = QueryInt(load_default=100, validate=Range(min=0, max=1000))
    order_by = QueryString(load_default=None)
    direction = QueryString(data_key="dir", load_default=None, validate=OneOf(["f", "b"]))


class StatisticsQuery(PageQuery):
    """Which users, and of when."""

    from_ts = QueryInt(load_default=0)
    until_ts = QueryInt(load_default=2**53)
    search_term = QueryString(load_default="")


def blueprint(curation: Curation, media: MediaLists, users: UserStore, profiles: ProfileStore, gate: Gate) -> Blueprint:
    """The endpoints."""
    bp, page_schema, statistics_schema = Blueprint("admin_user_media", __name__), PageQuery(), StatisticsQuery()

    def page_of(user_id: str) -> tuple[UserNid, dict[str, Any], list[Any]]:
        gate.authenticate_admin(request)
        user, query = users.find(user_id), load_query(page_schema, request)
        if user is None:
            raise NotFound("There is no such user here.")
        order = query["order_by"] or "created_ts"
        if not is_order(order):
            raise InvalidParam("'order_by' must be the name of a column of the list, such as created_ts.")
        backward = (query["direction"] or ("f" if query["order_by"] else "b")) == "b"
        return user.user_nid, query, media.of_user(user.user_nid, query["start"], query["limit"], order, backward)

    @bp.get(f"{_V1}/users/<user_id>/media")
    def get_user_media(user_id: str) -> ResponseReturnValue:
        """A page of a user's uploads."""
        user, query, page = page_of(user_id)
        total, end = media.count_of_user(user), query["start"] + len(page)
        answer = {"media": [shown(one) for one in page], "total": total}
        return json_reply(answer | ({"next_token": end} if end < total else {}))

    @bp.delete(f"{_V1}/users/<user_id>/media")
    def delete_user_media(user_id: str) -> ResponseReturnValue:
        """Delete a page of a user's uploads."""
        gone = curation.delete(page_of(user_id)[2])
        return json_reply({"deleted_media": gone, "total": len(gone)})

    @bp.get(f"{_V1}/statistics/users/media")
    def get_statistics() -> ResponseReturnValue:
        """How much each user has uploaded."""
        gate.authenticate_admin(request)
        query = load_query(statistics_schema, request)
        order = query["order_by"] or "user_id"
        if order not in _ORDERS:
            raise InvalidParam(f"'order_by' must be one of {', '.join(_ORDERS)}.")
        usage = media.usage_of_users(query["from_ts"], query["until_ts"])
        rows = _statistics(usage, users, profiles, query["search_term"].lower())
        rows.sort(key=lambda row: (row[order] is None, row[order]), reverse=query["direction"] == "b")
        end = query["start"] + query["limit"]
        answer = {"users": rows[query["start"] : end], "total": len(rows)}
        return json_reply(answer | ({"next_token": end} if end < len(rows) else {}))

    return bp


def _statistics(
    usage: list[UserUsage], users: UserStore, profiles: ProfileStore, search_term: str
) -> list[dict[str, Any]]:
    nids = [one.user_nid for one in usage]
    known, shown_as = users.find_many(nids), profiles.find_many(nids)
    rows = []
    for one in usage:
        user, name = known.get(one.user_nid), shown_as.get(one.user_nid, {}).get("displayname")
        if user is None or search_term not in f"{user.user_id}\n{name or ''}".lower():
            continue
        rows.append(
            {"user_id": user.user_id, "displayname": name, "media_count": one.files, "media_length": one.total_bytes}
        )
    return rows
