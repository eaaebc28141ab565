"""Asks the feed within Airflow's own API application, as users of several roles; prints what each got as JSON."""

from __future__ import annotations

import asyncio
import json
import sys

import httpx
from airflow.api_fastapi.app import create_app, get_auth_manager
from airflow.api_fastapi.auth.managers.simple.user import SimpleAuthManagerUser

PATHS = ("/crossdock/v1/events", "/crossdock/v1/openapi.json")


async def ask() -> dict[str, list[object]]:
    app = create_app()
    manager = get_auth_manager()
    told: dict[str, list[object]] = {}
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app=app), base_url="http://airflow") as client:
        for role in ("admin", "viewer", None):
            headers = {}
            if role:
                headers["Authorization"] = (
                    f"Bearer {manager.generate_jwt(SimpleAuthManagerUser(username='anna', role=role))}"
                )
            answers = [await client.get(path, headers=headers) for path in PATHS]
            told[str(role)] = [
                [answer.status_code for answer in answers],
                answers[0].json().get("events", answers[0].json()),
                answers[0].headers.get("content-security-policy", ""),
                answers[0].headers.get("link", ""),
            ]
    return told


if __name__ == "__main__":
    json.dump(asyncio.run(ask()), sys.stdout)
