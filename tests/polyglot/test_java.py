"""The Java client: its own tests against a gateway, and its README from the installed artefact."""

import re
from pathlib import Path

import pytest

from tests.polyglot.commands import carried_out
from tests.polyglot.lives import Lives
from tests.tools import tool

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]

ROOT = Path(__file__).resolve().parents[2]
CLIENT = ROOT / "clients" / "java"
MAVEN = ("mvn", "-q", "-ntp", "-B")
POM = """<project xmlns="http://maven.apache.org/POM/4.0.0">
  <modelVersion>4.0.0</modelVersion>
  <groupId>com.example</groupId>
  <artifactId>fresh</artifactId>
  <version>1</version>
  <properties>
    <maven.compiler.source>17</maven.compiler.source>
    <maven.compiler.target>17</maven.compiler.target>
    <project.build.sourceEncoding>UTF-8</project.build.sourceEncoding>
  </properties>
  <dependencies>
    {dependency}
  </dependencies>
</project>
"""


@pytest.fixture(scope="module", autouse=True)
def java() -> None:
    for name in ("java", "mvn"):
        tool(name)


def test_its_tests(lives: Lives) -> None:
    carried_out(*MAVEN, "test", cwd=CLIENT, **lives.environment())
    reports = list((CLIENT / "target" / "surefire-reports").glob("*.txt"))
    told = "".join(report.read_text() for report in reports)
    assert re.search(r"Tests run: 13, Failures: 0, Errors: 0, Skipped: 0", told), told


def test_its_readme_from_the_installed_artefact(lives: Lives, tmp_path: Path) -> None:
    text = (CLIENT / "README.md").read_text()
    (dependency,) = re.findall(r"```xml\n(.*?)```", text, flags=re.DOTALL)
    (program,) = re.findall(r"```java\n(.*?)```", text, flags=re.DOTALL)
    carried_out(*MAVEN, "install", "-DskipTests", cwd=CLIENT)
    (tmp_path / "pom.xml").write_text(POM.format(dependency=dependency))
    source = tmp_path / "src" / "main" / "java"
    source.mkdir(parents=True)
    (source / "Hello.java").write_text(program.replace("127.0.0.1:50051", lives.address))
    goals = ("compile", "dependency:build-classpath", "-Dmdep.outputFile=classpath")
    carried_out(*MAVEN, *goals, cwd=tmp_path)
    classpath = f"target/classes:{(tmp_path / 'classpath').read_text()}"
    told = carried_out("java", "-cp", classpath, "Hello", cwd=tmp_path)
    assert re.fullmatch(r"((validating|in_progress|finalizing|completed)\n)+a true\n", told), told
