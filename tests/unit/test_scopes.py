"""Where else a name stands for the same thing, in each language with scopes of its own."""

import pytest

from grammars import language_for, uses

CASES = {
    "python": """
«n» = 1
def f(n, m=2):
    n += 1
    return [n for n in m]
def g():
    return «n»
""",
    "python-parameter": """
def f(«n»: int, *rest):
    return [«n» + m for m in rest], lambda n: n
class A:
    def g(self, n=1):
        return n
""",
    "python-method": """
class A:
    def f(self):
        «total» = 0
        for x in self: «total» += x
        return «total»
    def g(self):
        total = 1
        return total
""",
    "javascript": """
function f(«n») { const m = () => «n»; { let n = 1; n++; } return «n»; }
const g = n => n;
class A { h({n}) { return n; } }
""",
    "typescript": """
function f(«n»: number, m?: string) { return «n»; }
function g(n?: number) { return n; }
""",
    "go": """
package a
func f(xs []int) int { «n» := 0; for _, x := range xs { «n» += x }; return «n» }
func g() int { n := 1; return n }
""",
    "rust": """
fn f(«n»: i32) -> i32 { let m = |n| n + 1; m(«n») }
fn g() -> i32 { let mut n = 1; n += 1; n }
""",
    "java": """
class A {
    int f(int «n») { return «n»; }
    int g() { int n = 1; for (int m : xs) { n += m; } return n; }
}
""",
    "c": """
int n;
int f(int *«n») { return *«n»; }
int g(void) { int n = 1; return n; }
""",
    "cpp": """
int f(int &«n») { return «n»; }
int g(std::vector<int> v) { for (auto n : v) { use(n); } return n; }
""",
}


@pytest.mark.parametrize("name", CASES)
def test_a_name_is_found_in_its_own_scope_alone(name: str) -> None:
    language = language_for(name.partition("-")[0])
    assert language
    pieces = CASES[name].encode().split("«".encode())
    text, marked = pieces[0], list[int]()
    for piece in pieces[1:]:
        marked.append(len(text))
        text += piece.replace("»".encode(), b"")
    for at in marked:
        assert uses(language, text, at) == marked


def test_where_nothing_is_known_of_scopes_there_is_no_answer() -> None:
    language = language_for("json")
    assert language
    assert uses(language, b"1", 0) is None
