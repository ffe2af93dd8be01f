"""Packaging entry point. Everything is declared in setup.cfg, one step apart: compiling.

pip compiles what it installs to bytecode, but not what it installs in editable form; the first start would compile
some six hundred modules before its first answer. Both ways to install in editable form end here.
"""

import compileall

from setuptools import setup
from setuptools.command.develop import develop
from setuptools.command.editable_wheel import editable_wheel


def compile_sources() -> None:
    """Compile the packages where they lie."""
    for folder in ("core", "plugins"):
        compileall.compile_dir(folder, quiet=2, workers=0)


class CompiledEditableWheel(editable_wheel):
    """An editable install as PEP 660 describes it."""

    def run(self) -> None:
        """Build the wheel, and compile what it points to."""
        super().run()
        compile_sources()


class CompiledDevelop(develop):
    """An editable install by older versions of pip."""

    def run(self) -> None:
        """Install the link, and compile what it points to."""
        super().run()
        compile_sources()


setup(cmdclass={"editable_wheel": CompiledEditableWheel, "develop": CompiledDevelop})
