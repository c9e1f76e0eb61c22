"""The role certificates: made once, renewed in time, or brought by the site."""

from __future__ import annotations

import json
import re
import stat
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509

from tests.certificates import Authority
from tests.playbooks import ROOT, Outcome

pytestmark = pytest.mark.slow
NAMES = ["localhost", "127.0.0.1", "::1", "bus-1.example.org"]


class Host:
    """A state folder that the role is run on."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.play = folder / "play.yml"
        play = {"hosts": "localhost", "gather_facts": False, "roles": ["certificates"]}
        self.play.write_text(json.dumps([play]))

    def run(self, *arguments: str, **variables: Any) -> Outcome:
        given = {"state_dir": str(self.folder / "state"), "certificates_names": NAMES}
        command = [str(Path(sys.executable).with_name("ansible-playbook")), str(self.play)]
        command += ["-e", json.dumps({**given, **variables}), *arguments]
        done = subprocess.run(
            command, cwd=ROOT, capture_output=True, text=True, timeout=120, check=False
        )
        return Outcome(done.returncode, done.stdout + done.stderr)

    def read(self, name: str) -> bytes:
        return (self.folder / "state/secrets/tls" / name).read_bytes()

    @property
    def certificate(self) -> x509.Certificate:
        return x509.load_pem_x509_certificate(self.read("server.crt"))


@pytest.fixture(scope="module")
def host(tmp_path_factory: pytest.TempPathFactory) -> Host:
    made = Host(tmp_path_factory.mktemp("host"))
    assert made.run().code == 0
    return made


def test_a_host_is_certified_for_all_its_names_by_the_site(host: Host) -> None:
    named = host.certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName)
    found = named.value.get_values_for_type
    assert found(x509.DNSName) == ["localhost", "bus-1.example.org"]
    assert [str(a) for a in found(x509.IPAddress)] == ["127.0.0.1", "::1"]
    host.certificate.verify_directly_issued_by(x509.load_pem_x509_certificate(host.read("ca.crt")))


def test_only_the_owner_reads_them(host: Host) -> None:
    files = [path for path in (host.folder / "state").rglob("*") if path.is_file()]
    assert len(files) == 9
    assert {stat.S_IMODE(path.stat().st_mode) for path in files} == {0o600}


def test_a_second_run_and_a_check_change_nothing(host: Host) -> None:
    assert host.run().changed == host.run("--check").changed == []


def test_it_is_renewed_before_it_ends_under_the_same_key(host: Host) -> None:
    before, key = host.certificate, host.read("server.key")
    assert host.run("--check", certificates_renew_days=366).code == 0
    assert host.certificate == before
    assert host.run(certificates_renew_days=366).code == 0
    assert host.certificate.serial_number != before.serial_number
    assert host.read("server.key") == key


def test_another_name_is_certified_anew(host: Host) -> None:
    before = host.certificate
    outcome = host.run(certificates_names=[*NAMES, "other.example.org"])
    assert "certificates : Sign it, again where it ends soon" in outcome.changed
    assert host.certificate != before


def test_a_check_of_a_fresh_host_makes_nothing(tmp_path: Path) -> None:
    outcome = Host(tmp_path).run("--check")
    assert outcome.code == 0, outcome.output
    assert list(tmp_path.iterdir()) == [tmp_path / "play.yml"]


def test_what_the_site_brings_is_taken_and_no_authority_is_made(tmp_path: Path) -> None:
    site, host = Authority(tmp_path / "site"), Host(tmp_path)
    files = {"ca": site.ca_file, **site.certify()}
    brought = {
        f"certificates_brought_{name.removesuffix('_file')}": str(file)
        for name, file in files.items()
    }
    assert host.run(**brought).code == 0
    assert host.read("server.key") == files["key_file"].read_bytes()
    assert not (tmp_path / "state/secrets/authority").exists()


def test_half_of_what_a_site_brings_is_refused(tmp_path: Path) -> None:
    outcome = Host(tmp_path).run(certificates_brought_ca="/ca.crt")
    assert outcome.code != 0
    assert re.search(r"must be\s+set together", outcome.output)
