"""Parses every Swift file that it is given, and tells where one is no Swift.

A parser finds what is spelled wrongly; whether names and types fit is seen by Xcode alone (docs/mobile.md).
"""

import sys

import tree_sitter_swift
from tree_sitter import Language, Parser


def faults(node):
    """The innermost places that the grammar does not know."""
    if not node.has_error:
        return []
    inner = [fault for child in node.children for fault in faults(child)]
    if inner:
        return inner
    return [node] if node.is_error or node.is_missing else []


def main(paths):
    parser = Parser(Language(tree_sitter_swift.language()))
    failed = 0
    for path in paths:
        with open(path, "rb") as file:
            tree = parser.parse(file.read())
        found = faults(tree.root_node)
        failed += bool(found) or tree.root_node.has_error
        for fault in found:
            line, column = fault.start_point
            print(f"{path}:{line + 1}:{column + 1}: this is no Swift")
    print(f"Swift files: {len(paths) - failed} passed, {failed} failed")
    return 1 if failed or not paths else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
