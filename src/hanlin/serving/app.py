"""The application: which path is answered by whom, and every error in one shape.

    app = create_app(Service(ServingConfig()), Access())

python -m hanlin.serving.app
"""

from __future__ import annotations

import difflib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Annotated, Any

from fastapi import Body, FastAPI, Request
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.responses import JSONResponse, PlainTextResponse, Response

from hanlin import __version__
from hanlin.errors import HanlinError
from hanlin.serving.chat import ChatAnswer, prepare_chat
from hanlin.serving.completions import CompletionAnswer, prepare_completion
from hanlin.serving.embeddings import embed
from hanlin.serving.errors import ApiError, as_api_error, describe_invalid
from hanlin.serving.gate import PATHS, Gate, error_response
from hanlin.serving.notes import shown_token
from hanlin.serving.pages import page_file
from hanlin.serving.schemas import (
    ChatRequest,
    CompletionRequest,
    DetokenizeRequest,
    EmbeddingsRequest,
    TokenizeRequest,
)
from hanlin.serving.security import Access
from hanlin.serving.service import Service
from hanlin.serving.streaming import ClientGoneError, EventStream, unless_gone

__all__ = ["create_app"]

_GONE = 499
"""The status that is logged of a request whose client left; nobody reads it."""


def create_app(service: Service, access: Access) -> FastAPI:
    """Return the application around a service."""

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        yield
        await service.close()

    app = FastAPI(
        title="Hanlin", version=__version__, docs_url=None, redoc_url=None, lifespan=lifespan
    )
    _add_errors(app, service)
    _add_status(app, service)
    _add_writing(app, service)
    _add_tokens(app, service)
    _add_page(app)
    app.add_middleware(Gate, access=access, config=service.config, metrics=service.metrics)
    return app


def _add_errors(app: FastAPI, service: Service) -> None:
    @app.exception_handler(ApiError)
    async def refused(_: Request, error: ApiError) -> Response:
        return error_response(error)

    @app.exception_handler(HanlinError)
    async def failed(_: Request, error: HanlinError) -> Response:
        return error_response(as_api_error(error))

    @app.exception_handler(RequestValidationError)
    async def invalid(_: Request, error: RequestValidationError) -> Response:
        return error_response(describe_invalid(list(error.errors()), error.body))

    @app.exception_handler(ClientGoneError)
    async def gone(_: Request, error: ClientGoneError) -> Response:
        service.metrics.count_gone()
        return Response(status_code=_GONE)

    @app.exception_handler(HTTPException)
    async def unrouted(request: Request, error: HTTPException) -> Response:
        return error_response(_explain(request, error))


def _explain(request: Request, error: HTTPException) -> ApiError:
    path = request.url.path
    if error.status_code == 404:
        near = difflib.get_close_matches(path, PATHS, n=1, cutoff=0.5)
        near = [known for known in PATHS if known.endswith(path)] or near
        hint = f" Is {near[0]} meant?" if near and len(path) > 1 else ""
        return ApiError(404, f"There is nothing at this path.{hint} There is: {', '.join(PATHS)}")
    if error.status_code == 405:
        allowed = (error.headers or {}).get("Allow", "POST")
        message = f"{path} is not asked with {request.method[:8]} but with {allowed}."
        return ApiError(405, message, headers={"Allow": allowed})
    return ApiError(error.status_code, str(error.detail))


def _add_status(app: FastAPI, service: Service) -> None:
    @app.get("/health")
    async def health() -> Response:
        status = 200 if service.state == "ready" else 503
        return JSONResponse({"status": service.state}, status_code=status)

    @app.get("/metrics")
    async def metrics() -> Response:
        return PlainTextResponse(
            service.metrics.render(service.statistics()), media_type="text/plain; version=0.0.4"
        )

    @app.get("/v1/models")
    async def models() -> dict[str, Any]:
        return {"object": "list", "data": [service.served.describe()]}

    @app.get("/v1/models/{name:path}")
    async def model(name: str) -> dict[str, Any]:
        service.served.check_name(name)
        return service.served.describe()


def _add_writing(app: FastAPI, service: Service) -> None:
    @app.post("/v1/completions")
    async def completions(body: Annotated[CompletionRequest, Body()], request: Request) -> Response:
        ignored = _checked(service, body)
        answer = await unless_gone(request, prepare_completion(service, body), ())
        return await _answer(service, request, answer, ignored)

    @app.post("/v1/chat/completions")
    async def chat(body: Annotated[ChatRequest, Body()], request: Request) -> Response:
        ignored = _checked(service, body)
        answer = await unless_gone(request, prepare_chat(service, body), ())
        return await _answer(service, request, answer, ignored)

    @app.post("/v1/embeddings")
    async def embeddings(body: Annotated[EmbeddingsRequest, Body()], request: Request) -> Response:
        ignored = _checked(service, body)
        whole = await unless_gone(request, embed(service, body), ())
        return JSONResponse(whole, headers=_headers(ignored))


def _checked(
    service: Service, body: CompletionRequest | ChatRequest | EmbeddingsRequest
) -> list[str]:
    """Check what any body says; return the fields of it that are ignored."""
    service.served.check_name(body.model)
    return body.check_unknown()


def _headers(ignored: list[str]) -> dict[str, str]:
    return {"X-Hanlin-Ignored": ", ".join(ignored)} if ignored else {}


async def _answer(
    service: Service,
    request: Request,
    answer: CompletionAnswer | ChatAnswer,
    ignored: list[str],
) -> Response:
    headers = _headers(ignored)
    if not answer.request.stream:
        whole = await unless_gone(request, answer.whole(), answer.texts)
        return JSONResponse(whole, headers=headers)
    return EventStream(
        answer.events(),
        answer.texts,
        ping_seconds=service.config.ping_seconds,
        write_seconds=service.config.write_seconds,
        on_gone=service.metrics.count_gone,
        headers=headers,
    )


def _add_tokens(app: FastAPI, service: Service) -> None:
    @app.post("/tokenize")
    def tokenize(body: Annotated[TokenizeRequest, Body()]) -> dict[str, Any]:
        served = service.served
        served.check_name(body.model)
        body.check_unknown()
        tokenizer = served.model.tokenizer
        ids = tokenizer.encode(body.prompt)
        pieces = [shown_token(tokenizer.token_bytes(id)) for id in ids]
        length = {"count": len(ids), "max_model_len": served.context}
        return {"tokens": ids, "pieces": pieces, **length}

    @app.post("/detokenize")
    def detokenize(body: Annotated[DetokenizeRequest, Body()]) -> dict[str, Any]:
        served = service.served
        served.check_name(body.model)
        body.check_unknown()
        return {"prompt": served.model.tokenizer.decode(body.tokens)}


def _add_page(app: FastAPI) -> None:
    @app.get("/", include_in_schema=False)
    async def index() -> Response:
        return page_file("index.html")

    @app.get("/favicon.ico", include_in_schema=False)
    async def icon() -> Response:
        return page_file("icon.svg")

    @app.get("/page/{name}", include_in_schema=False)
    async def file(name: str) -> Response:
        return page_file(name)


if __name__ == "__main__":
    from hanlin.config import ServingConfig

    print(*sorted(create_app(Service(ServingConfig()), Access()).openapi()["paths"]))
