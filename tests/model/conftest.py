"""Failed comparisons say what differs."""

import pytest

pytest.register_assert_rewrite("tests.model.clients", "tests.model.comparing", "tests.model.steps")
