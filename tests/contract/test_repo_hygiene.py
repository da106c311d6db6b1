"""The repository installs the same everywhere and carries nothing of the machine it was written on."""

import json
import re
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parents[2]
LOCKS = ("requirements.txt", "requirements-dev.txt", "bench/requirements.txt")
HASH = re.compile(r"--hash=sha256:[0-9a-f]{64}")
# A folder of somebody's own, as an absolute path: not preceded by what would make it part of a longer path or a URL.
OWN_FOLDER = re.compile(rb"(?<![\w.~:/-])/(?:root|work|home/\w+|Users/\w+)/")


def locked_lines(name: str) -> list[str]:
    """Return the logical lines of a lock file, comments and blank lines left out."""
    text = (ROOT / name).read_text("utf-8")
    text = re.sub(r"^\s*#.*\n", "", text, flags=re.MULTILINE).replace("\\\n", " ")
    return [line.strip() for line in text.splitlines() if line.strip()]


def locked(name: str) -> dict[str, Requirement]:
    """Return the requirements of a lock file by their canonical name."""
    requirements = [Requirement(HASH.sub("", line).strip()) for line in locked_lines(name)]
    return {canonicalize_name(requirement.name): requirement for requirement in requirements}


def pyproject() -> dict[str, dict[str, object]]:
    return tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))


def strings(value: object) -> list[str]:
    """Return the strings of a TOML array; tables in it, such as `include-group`, are left out."""
    assert isinstance(value, list)
    return [item for item in value if isinstance(item, str)]


def repository_files() -> list[Path]:
    """Return what is or may be committed: tracked files, and new ones that are not ignored."""
    command = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    try:
        listed = subprocess.run(command, cwd=ROOT, check=True, capture_output=True).stdout
    except (OSError, subprocess.CalledProcessError):
        pytest.skip("not a git checkout")
    paths = [ROOT / name.decode() for name in listed.split(b"\0") if name]
    return [path for path in paths if path.is_file()]


@pytest.mark.parametrize("name", LOCKS)
def test_every_locked_requirement_is_pinned_and_hashed(name: str) -> None:
    """A lock line is `name==version`, perhaps a marker, and hashes; anything else pip would have to trust."""
    lines = locked_lines(name)
    assert lines
    for line in lines:
        assert HASH.search(line), f"{name}: no hash: {line}"
        requirement = Requirement(HASH.sub("", line).strip())
        assert [part.operator for part in requirement.specifier] == ["=="], f"{name}: not pinned: {line}"


@pytest.mark.parametrize("name", LOCKS)
def test_locks_name_no_index_url_or_path(name: str) -> None:
    """Where packages come from is the business of the machine that installs them."""
    assert "://" not in (ROOT / name).read_text("utf-8")
    for line in locked_lines(name):
        assert not line.startswith("-"), f"{name}: an option: {line}"
        assert not re.search(r"[/@]", line), f"{name}: a path or URL: {line}"


def test_package_lock_names_no_registry() -> None:
    """package-lock.json has hashes but no addresses (`omit-lockfile-registry-resolved` in .npmrc)."""
    packages = json.loads((ROOT / "package-lock.json").read_text("utf-8"))["packages"]
    assert not [name for name, package in packages.items() if "resolved" in package]
    assert not [name for name, package in packages.items() if name and "integrity" not in package]


def test_npm_tools_are_pinned_exactly() -> None:
    """`^1.2.3` would let a fresh lock differ without anybody deciding it."""
    versions = json.loads((ROOT / "package.json").read_text("utf-8"))["devDependencies"]
    assert not {name: version for name, version in versions.items() if not re.fullmatch(r"\d+\.\d+\.\d+", version)}


def test_every_dependency_is_locked_within_its_bounds() -> None:
    """A dependency added to pyproject.toml without `make lock` is noticed."""
    project, groups = pyproject()["project"], pyproject()["dependency-groups"]
    wanted = {
        "requirements.txt": strings(project["dependencies"]) + strings(groups["build"]),
        "requirements-dev.txt": strings(project["dependencies"]) + strings(groups["build"]) + strings(groups["dev"]),
    }
    for name, requirements in wanted.items():
        pins = locked(name)
        for requirement in map(Requirement, requirements):
            pin = pins.get(canonicalize_name(requirement.name))
            assert pin is not None, f"{requirement.name} is not in {name}: run `make lock`"
            version = next(iter(pin.specifier)).version
            assert requirement.specifier.contains(version), f"{name} has {pin}, pyproject.toml wants {requirement}"


def test_both_locks_agree() -> None:
    """Tests run on the versions that are shipped."""
    runtime, dev = locked("requirements.txt"), locked("requirements-dev.txt")
    assert set(runtime) <= set(dev)
    assert {name: runtime[name].specifier for name in runtime} == {name: dev[name].specifier for name in runtime}


def test_no_file_names_a_folder_of_the_machine_it_was_written_on() -> None:
    """An absolute path of a home or work folder works for one person and tells others who that was."""
    found = []
    for path in repository_files():
        content = path.read_bytes()
        if b"\0" not in content:
            lines = enumerate(content.splitlines(), start=1)
            found += [f"{path.relative_to(ROOT)}:{number}" for number, line in lines if OWN_FOLDER.search(line)]
    assert not found


def test_wheel_contains_every_web_file(tmp_path: Path) -> None:
    """What the browser gets is in the wheel, file by file; tests are not."""
    command = [sys.executable, "-m", "hatchling", "build", "--target", "wheel", "--directory", str(tmp_path)]
    built = subprocess.run(command, cwd=ROOT, check=False, capture_output=True, text=True)
    assert built.returncode == 0, built.stdout + built.stderr
    (wheel,) = tmp_path.glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        names = set(archive.namelist())
    source = ROOT / "src"
    web = {
        path.relative_to(source).as_posix() for path in repository_files() if (source / "guestwire/web") in path.parents
    }
    assert web <= names
    assert not [name for name in names if not name.startswith("guestwire")]
