"""What tests of the command line share."""


def assert_one_clear_error(result, *words, code=2):
    assert result.exit_code == code, result.output
    assert result.stdout == ""
    assert "Traceback" not in result.stderr
    assert result.stderr.count("Error") == 1
    for word in words:
        assert word in " ".join(result.stderr.split())
