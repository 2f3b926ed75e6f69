"""Statements as trees that can be printed for either system and cut down.

A node's parts are texts and nodes. Its kind says how a shrinker may change it:
  seq    fixed parts
  list   parts that are joined by a separator, any of which may go as long as `least` stay
  opt    a clause that may go as a whole
  query  a whole SELECT: may be replaced by a query within it
  expr   an expression with a type: may be replaced by one within it of that type, or by a constant
  from   an item of FROM: may be replaced by an item within it
A node is never changed in place: `replace` makes a new tree that shares all else."""


class Both:
    """A text that the two systems write differently."""

    def __init__(self, weir, pg):
        self.weir, self.pg = weir, pg


class Node:
    __slots__ = ("kind", "parts", "type", "separator", "least", "features", "domain")

    def __init__(self, kind, parts, type=None, separator="", least=0, features=()):
        self.kind, self.parts, self.type = kind, tuple(parts), type
        self.separator, self.least, self.features = separator, least, tuple(features)
        self.domain = None  # of a column: the values it takes, if they are known

    def with_parts(self, parts):
        return Node(self.kind, parts, self.type, self.separator, self.least, self.features)

    def __str__(self):
        return text(self, "weir")


def seq(*parts, features=()):
    return Node("seq", parts, features=features)


def listing(items, separator=", ", least=1):
    return Node("list", items, separator=separator, least=least)


def optional(*parts, features=()):
    return Node("opt", parts, features=features)


def expr(type, *parts, features=()):
    return Node("expr", parts, type, features=features)


def column(type, name, domain):
    made = Node("expr", [name], type)
    made.domain = domain
    return made


def text(part, dialect):
    if isinstance(part, str):
        return part
    if isinstance(part, Both):
        return part.weir if dialect == "weir" else part.pg
    return part.separator.join(t for t in (text(p, dialect) for p in part.parts) if t or not part.separator)


def features(node, found=None):
    found = set() if found is None else found
    if isinstance(node, Node):
        found.update(node.features)
        for part in node.parts:
            features(part, found)
    return found


def without_options(node):
    """The tree without any clause that may go: conditions, HAVING, DISTINCT, LIMIT."""
    parts = [without_options(p) if isinstance(p, Node) else p for p in node.parts if not (isinstance(p, Node) and p.kind == "opt")]
    return node.with_parts(parts)


def by_column(query):
    """(features outside of the list of columns, those of each column) of a query, if it is one SELECT; else all are outside."""
    at = next((i for i, p in enumerate(query.parts) if isinstance(p, Node) and p.kind == "list"), None)
    if at is None or not isinstance(query.parts[0], str) or query.parts[0] != "SELECT ":
        return features(query), []
    outside = set(query.features)
    for i, part in enumerate(query.parts):
        if i != at:
            features(part, outside)
    return outside, [features(part) for part in query.parts[at].parts]


def size(node):
    return 1 + sum(size(p) for p in node.parts) if isinstance(node, Node) else 1


def walk(node, path=()):
    """(path, node) of every node, from the root down."""
    yield path, node
    for i, part in enumerate(node.parts):
        if isinstance(part, Node):
            yield from walk(part, (*path, i))


def replace(node, path, new):
    """The tree with `new` at the path; None there takes the part away."""
    if not path:
        return new
    i, parts = path[0], list(node.parts)
    if len(path) == 1 and new is None:
        del parts[i]
    else:
        parts[i] = replace(parts[i], path[1:], new)
    return node.with_parts(parts)


def _within(node, kind, type=None):
    """Nodes of a kind under this one, the nearest first."""
    level = [p for p in node.parts if isinstance(p, Node)]
    while level:
        following = []
        for n in level:
            if n.kind == kind and (type is None or n.type == type):
                yield n
            following += [p for p in n.parts if isinstance(p, Node)]
        level = following


def simpler(root, constant):
    """Trees that are a little simpler than this one, the largest cuts first. constant(type) is an expression of
    that type without parts, or None."""
    for path, node in walk(root):
        if node.kind in ("query", "from"):
            for inner in _within(node, node.kind):
                yield replace(root, path, inner)
        if node.kind == "opt" and path:
            yield replace(root, path, None)
        if node.kind == "list" and len(node.parts) > node.least:
            half = len(node.parts) // 2
            if half > 1 and half >= node.least:
                yield replace(root, path, node.with_parts(node.parts[:half]))
                yield replace(root, path, node.with_parts(node.parts[half:]))
            for i in range(len(node.parts)):
                yield replace(root, path, node.with_parts(node.parts[:i] + node.parts[i + 1:]))
    for path, node in walk(root):
        if node.kind == "expr":
            for inner in _within(node, "expr", node.type):
                yield replace(root, path, inner)
            if any(isinstance(p, Node) for p in node.parts):
                small = constant(node.type)
                if small is not None:
                    yield replace(root, path, small)
