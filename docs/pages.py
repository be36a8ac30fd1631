"""Gathers the pages of the site: those that the project has, and two references made from the code.

    python -m docs.pages build/docs     # then mkdocs builds build/site of it: make docs

The pages lie as in the project, so that their links hold; whatever else they link to comes along.
"""

from __future__ import annotations

import json
import re
import shutil
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
import yaml

from rotator.cli import cli
from rotator.config.json_schema import json_schema

if TYPE_CHECKING:
    from collections.abc import Iterator

PROJECT = Path(__file__).resolve().parents[1]
PAGES = {
    "README.md": "rotator",
    "deploy/README.md": "Running it",
    "deploy/gitlab-runner/README.md": "Runners and jobs",
    "deploy/clients.md": "Who takes what",
    "deploy/troubleshooting.md": "Troubleshooting",
    "reference/configuration.md": "Configuration",
    "reference/commands.md": "Commands",
    "SECURITY.md": "Security",
    "ARCHITECTURE.md": "Architecture",
    "CONTRIBUTING.md": "Contributing",
    "CHANGELOG.md": "Changes",
}
"""The pages in the order of the menu."""
SITE: dict[str, Any] = {
    "site_name": "rotator",
    "site_description": "Registry credentials in GitLab CI, kept fresh",
    "docs_dir": "docs",
    "site_dir": "site",
    "exclude_docs": "!/templates/",  # mkdocs leaves a directory of this name out by itself
    "use_directory_urls": True,
    "theme": {
        "name": "material",
        "font": False,  # the reader's own: nothing is loaded from elsewhere
        "features": ["navigation.footer", "navigation.top", "toc.follow", "content.code.copy"],
        "palette": [
            {"media": "(prefers-color-scheme: light)", "scheme": "default"},
            {"media": "(prefers-color-scheme: dark)", "scheme": "slate"},
        ],
    },
    "plugins": ["search"],
    "markdown_extensions": ["tables", "toc", "pymdownx.highlight", "pymdownx.superfences"],
    "extra_css": ["site.css"],
    "validation": {"links": {"anchors": "warn", "unrecognized_links": "warn"}},
}
LINK = re.compile(r"\]\((?!https?://|#)([^)#\s]+)(#[^)\s]*)?\)")


def main(place: Path) -> None:
    """Write the site's sources and its configuration below a directory."""
    docs = place / "docs"
    shutil.rmtree(docs, ignore_errors=True)
    write(docs / "reference/configuration.md", "\n".join(configuration()))
    write(docs / "reference/commands.md", "\n".join(commands()))
    for page in PAGES:
        if not page.startswith("reference/"):
            write(docs / page, with_links(page, docs))
    shutil.copy(PROJECT / "docs/site.css", docs)
    menu = [{title: page} for page, title in PAGES.items()]
    write(place / "mkdocs.yml", yaml.safe_dump({**SITE, "nav": menu}))


def write(path: Path, text: str) -> None:
    """Write a file, and the directories above it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


def with_links(page: str, docs: Path) -> str:
    """Return a page's text; copy what it links to."""
    text = (PROJECT / page).read_text()
    for match in LINK.finditer(text):
        source = (PROJECT / page).parent / match[1]
        where = source.resolve().relative_to(PROJECT)
        if source.is_dir():
            write(docs / where / "README.md", "\n".join(listing(source)))
            for file in source.glob("*.*"):
                shutil.copy(file, docs / where)
        elif str(where) not in PAGES:
            write(docs / where, source.read_text())
    return LINK.sub(lambda match: f"]({as_page(page, match[1])}{match[2] or ''})", text)


def as_page(page: str, link: str) -> str:
    """Return a link as mkdocs has it: a directory is its first page."""
    return f"{link.rstrip('/')}/README.md" if ((PROJECT / page).parent / link).is_dir() else link


def listing(folder: Path) -> Iterator[str]:
    """Give a page with the files of a directory and the first line of each."""
    yield f"# {folder.name}\n"
    for file in sorted(folder.glob("*.*")):
        first = file.read_text().partition("\n")[0].lstrip("# ")
        yield f"- [{file.name}]({file.name}): {first}"


def configuration() -> Iterator[str]:
    """Give the reference of the configuration, made from its schema."""
    schema = json_schema()
    yield "# Configuration\n"
    yield "`/etc/rotator/rotator.yaml`, or `--config FILE`, or `$ROTATOR_CONFIG`. ★: required.\n"
    yield from keys(schema)
    for name, one in schema["$defs"].items():
        yield f"\n## {title(name, one)}\n"
        yield f"{one.get('description', '')}\n"
        yield from keys(one)


def title(name: str, one: dict[str, Any]) -> str:
    """Return how a part of the configuration is called there."""
    known = one.get("properties", {})
    kind = known.get("type", known.get("method", {}))
    words = re.sub(r"(?<!^)(?=[A-Z])", " ", name.removesuffix("Settings")).lower()
    tag = kind.get("const") or next(iter(kind.get("enum", [])), "")
    return f"`{tag}` ({words})" if tag else words.capitalize()


def keys(one: dict[str, Any]) -> Iterator[str]:
    """Give a table of the keys of one part."""
    yield "| key | takes | default | |"
    yield "| --- | --- | --- | --- |"
    for key, about in one.get("properties", {}).items():
        star = "★" if key in one.get("required", []) else ""
        default = f"`{json.dumps(about['default'])}`" if "default" in about else ""
        said = about.get("description", "").replace("\n", " ").replace("|", r"\|")
        yield f"| {star}`{key}` | {takes(about)} | {default} | {said} |"


def takes(about: dict[str, Any]) -> str:
    """Return in a few words what a key takes."""
    if "$ref" in about:
        name = about["$ref"].rpartition("/")[2]
        return re.sub(r"(?<!^)(?=[A-Z])", " ", name.removesuffix("Settings")).lower()
    if "enum" in about:
        return ", ".join(dict.fromkeys(f"`{one}`" for one in about["enum"] if one is not None))
    if "const" in about:
        return f"`{about['const']}`"
    for many in ("anyOf", "oneOf"):
        if many in about:
            return " or ".join(dict.fromkeys(filter(None, map(takes, about[many]))))
    if about.get("type") == "array":
        return f"list of {takes(about.get('items', {}))}"
    kind = about.get("type", "")
    if isinstance(kind, list):
        kind = "string"  # written as a number, it is text all the same
    return {"string": "text", "null": "", "boolean": "true or false"}.get(str(kind), str(kind))


def commands() -> Iterator[str]:
    """Give the reference of the commands, made from their help."""
    yield "# Commands\n"
    yield "```text"
    yield cli.get_help(click.Context(cli, info_name="rotator", max_content_width=80))
    yield "```"
    for name, command in cli.commands.items():
        context = click.Context(command, info_name=f"rotator {name}", max_content_width=80)
        yield f"\n## rotator {name}\n\n```text\n{command.get_help(context)}\n```"


if __name__ == "__main__":
    main(Path(sys.argv[1]))
