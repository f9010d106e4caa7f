"""The hello of bench/functions.py on Starlette, for uvicorn: what the bar of a warm call is set by."""

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route


async def hello(request: Request) -> JSONResponse:
    return JSONResponse({"hello": "world"})


app = Starlette(routes=[Route("/api/hello", hello)])
