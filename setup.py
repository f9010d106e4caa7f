"""The compiled modules of Fazt; everything else about the package is in pyproject.toml."""

from Cython.Build import cythonize
from setuptools import Extension, setup

SPEEDUPS = ["hosts", "lane", "pages", "scan", "statistics"]

extensions = [
    Extension(f"fazt._speedups.{name}", [f"fazt/_speedups/{name}.pyx"], extra_compile_args=["-O3"]) for name in SPEEDUPS
]
for name in ("fazt.bench.load", "fazt.functions.driver"):
    extensions.append(Extension(name, [f"{name.replace('.', '/')}.pyx"], extra_compile_args=["-O3"]))

setup(ext_modules=cythonize(extensions, language_level=3, build_dir="build/cython"))
