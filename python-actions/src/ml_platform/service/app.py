"""The FastAPI application: every route behind an identity, every error in one shape."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, MutableMapping
from contextlib import asynccontextmanager
from typing import Any

import uvicorn
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse, Response
from prometheus_client import CONTENT_TYPE_LATEST, Gauge, generate_latest
from starlette.exceptions import HTTPException

from ml_platform.errors import InputError, MlPlatformError, NotFoundError, ServiceUnavailableError
from ml_platform.local.programs import check_service_port
from ml_platform.service import actions_api, events_api, jobs_api, logs_api, site_api
from ml_platform.service.asgi import Asgi, Receive, Scope, Send
from ml_platform.service.auth import Authenticator, Verifier, write_token_file
from ml_platform.service.backstage_tokens import BackstageTokens
from ml_platform.service.cluster_tokens import ClusterTokens
from ml_platform.service.ending import Ending
from ml_platform.service.error_answer import error_answer
from ml_platform.service.forwarding import Forwarding, forwarding_client
from ml_platform.service.platform import Platform
from ml_platform.service.runner import Runner
from ml_platform.settings import Settings

log = logging.getLogger(__name__)
# Probes carry no secrets and answer with none; everything else needs an identity.
OPEN_PATHS = frozenset({"/healthz", "/readyz"})
MAX_BODY = 2 * 2**20

jobs_by_phase = Gauge("ml_platform_jobs", "Jobs of the active set", ["phase"])
team_budget = Gauge(
    "ml_platform_team_budget",
    "This month's budget and what is spent and reserved",
    ["team", "part"],
)


class IdentityMiddleware:
    """Verifies the caller before any route is looked up, so that no route can forget to."""

    def __init__(self, app: Asgi, authenticator: Authenticator) -> None:
        self._app = app
        self._authenticator = authenticator

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["path"] in OPEN_PATHS:
            if scope["type"] in ("http", "lifespan"):
                await self._app(scope, receive, send)
            return
        headers = dict(scope["headers"])
        try:
            if int(headers.get(b"content-length", b"0") or 0) > MAX_BODY:
                raise InputError("the request is larger than 2 MiB", field="body")
            authorization = headers.get(b"authorization", b"").decode("latin-1")
            principal = await self._authenticator.principal(authorization or None)
        except (MlPlatformError, ValueError) as error:
            failure = error if isinstance(error, MlPlatformError) else InputError(str(error))
            await error_answer(failure)(scope, receive, send)
            return
        scope["ml_platform.principal"] = principal
        await self._app(scope, _bounded(receive), send)


def _bounded(receive: Receive) -> Receive:
    """A body without a length is cut off once it is too large."""
    taken = 0

    async def bounded() -> MutableMapping[str, Any]:
        nonlocal taken
        message = await receive()
        taken += len(message.get("body", b""))
        if taken > MAX_BODY:
            raise InputError("the request is larger than 2 MiB", field="body")
        return message

    return bounded


def create_app(settings: Settings, platform: Platform | None = None) -> FastAPI:
    """The application; the platform's parts start and stop with it."""
    parts = platform or Platform(settings)
    backstage = BackstageTokens(settings.backstage_url, settings.audience, settings.trusted_plugins)
    runner = Runner(parts)
    forwarded = forwarding_client()
    over = asyncio.Event()

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        parts.start()
        runner.start()
        yield
        over.set()
        runner.stop()
        parts.stop()
        await backstage.close()
        await forwarded.aclose()

    app = FastAPI(
        title="ML Platform",
        version="1",
        description="Actions and job API of ML Platform.",
        docs_url=None,
        redoc_url=None,
        openapi_url="/v1/openapi.json",
        lifespan=lifespan,
    )
    app.state.platform = parts
    for module in (actions_api, logs_api, jobs_api, events_api, site_api):
        app.include_router(module.router)
    _add_operations(app, parts, runner)
    _add_error_handlers(app)
    app.add_middleware(
        Forwarding, leader=parts.leader, http=forwarded, catch_up=parts.take_over_from_git
    )
    app.add_middleware(
        IdentityMiddleware,
        authenticator=Authenticator(
            settings.token_file, backstage, _cluster_tokens(settings, parts)
        ),
    )
    app.add_middleware(Ending, over=over)
    return app


def _cluster_tokens(settings: Settings, platform: Platform) -> Verifier | None:
    """With clusters, callers may bring a token of one of them, or of the one Argo CD is in."""
    if settings.local:
        return None
    # Imported here: the client of clusters costs a platform on one machine time and memory.
    from ml_platform.cluster.api_client import api_client  # noqa: PLC0415
    from ml_platform.cluster.callers import ClusterCallers  # noqa: PLC0415

    callers = [
        ClusterCallers(name, api_client(access), settings.cluster_audiences)
        for name, access in settings.identity_clusters()
    ]
    return ClusterTokens(callers, platform.team_names, settings.email_domains)


def _add_operations(app: FastAPI, platform: Platform, runner: Runner) -> None:
    @app.get("/healthz", include_in_schema=False)
    async def healthz() -> dict[str, str]:
        return {"status": "ok"}

    @app.get("/readyz", include_in_schema=False)
    def readyz() -> dict[str, str]:
        platform.repository.head()
        if (problem := runner.problem()) is not None:
            raise ServiceUnavailableError(problem)
        return {"status": "ok"}

    @app.get("/metrics", summary="Prometheus metrics", include_in_schema=False)
    def metrics() -> Response:
        jobs_by_phase.clear()
        for phase, jobs in platform.journal.counts().items():
            jobs_by_phase.labels(phase).set(jobs)
        _note_budgets(platform)
        return Response(generate_latest(), media_type=CONTENT_TYPE_LATEST)


def _note_budgets(platform: Platform) -> None:
    """Of the replica that commits alone, or sums would count them twice."""
    team_budget.clear()
    if not platform.leader.held():
        return
    try:
        for name, spending in platform.spendings().items():
            team_budget.labels(name, "amount").set(spending.budget)
            team_budget.labels(name, "spent").set(spending.spent)
            team_budget.labels(name, "reserved").set(spending.reserved)
    except MlPlatformError as error:  # a broken pools.yaml hides no other metric
        log.warning("budgets cannot be shown: %s", error)


def _add_error_handlers(app: FastAPI) -> None:
    @app.exception_handler(MlPlatformError)
    async def ours(_: Request, error: MlPlatformError) -> JSONResponse:
        return error_answer(error)

    @app.exception_handler(RequestValidationError)
    async def invalid(_: Request, error: RequestValidationError) -> JSONResponse:
        first = error.errors()[0]
        place = [str(part) for part in first["loc"] if part not in ("body", "query", "path")]
        return error_answer(InputError(str(first["msg"]), field=".".join(place) or "body"))

    @app.exception_handler(HTTPException)
    async def other(_: Request, error: HTTPException) -> JSONResponse:
        if error.status_code == 404:
            return error_answer(NotFoundError("there is no such address"))
        failure = InputError(str(error.detail))
        return error_answer(failure, status=error.status_code)

    @app.exception_handler(Exception)
    async def unexpected(request: Request, error: Exception) -> JSONResponse:
        log.error("%s failed", request.url.path, exc_info=error)
        text = "something failed inside the service"
        return error_answer(MlPlatformError(text, hint="its log has the details"))


def serve(settings: Settings) -> None:
    """Run the service in the foreground until SIGTERM or Ctrl-C."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s %(message)s")
    logging.getLogger("httpx").setLevel(logging.WARNING)
    check_service_port(settings)  # before anything works on the state that another one has in hand
    write_token_file(settings.token_file, settings.local_user)
    uvicorn.run(
        create_app(settings),
        host=settings.host,
        port=settings.port,
        log_level="warning",
        access_log=False,
        timeout_graceful_shutdown=3,
        # Longer than clients keep idle connections: closing one that is in use looks like a crash.
        timeout_keep_alive=75,
    )
