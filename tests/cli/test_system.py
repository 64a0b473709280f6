"""`ilab system info`."""

import json

from click.testing import CliRunner

from ilab.cli.main import cli


def test_info_is_flat_key_and_value(tmp_path, monkeypatch):
    monkeypatch.setenv("ILAB_HOME", str(tmp_path))
    result = CliRunner().invoke(cli, ["system", "info"])
    assert result.exit_code == 0, result.output
    rows = dict(line.split(": ", 1) for line in result.stdout.splitlines())
    assert rows["instructlab.version"] == "0.1.0"
    assert rows["sys.platform"] == "linux"
    assert int(rows["cpu.cores"]) >= 1
    assert float(rows["memory.total"].removesuffix(" GB")) > 0
    facts = json.loads(CliRunner().invoke(cli, ["sysinfo", "--json"]).stdout)
    assert list(facts) == list(rows)
