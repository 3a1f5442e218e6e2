"""A reader of flat Parquet files, written from the format's own documents: PLAIN pages, version 1, not compressed. Prints JSON."""
import json, struct, sys

data = open(sys.argv[1], "rb").read()


class Thrift:
    """The compact protocol: a struct is a dict by field number."""

    def __init__(self, at):
        self.at = at

    def varint(self):
        n = shift = 0
        while True:
            b = data[self.at]
            self.at += 1
            n |= (b & 127) << shift
            shift += 7
            if b < 128:
                return n

    def number(self):
        n = self.varint()
        return (n >> 1) ^ -(n & 1)

    def value(self, kind):
        if kind in (1, 2):
            return kind == 1
        if kind in (4, 5, 6):
            return self.number()
        if kind == 8:
            n = self.varint()
            self.at += n
            return data[self.at - n:self.at]
        if kind == 9:
            head = data[self.at]
            self.at += 1
            n = self.varint() if head >> 4 == 15 else head >> 4
            return [self.value(head & 15) for _ in range(n)]
        assert kind == 12, kind
        return self.struct()

    def struct(self):
        fields, last = {}, 0
        while True:
            head = data[self.at]
            self.at += 1
            if head == 0:
                return fields
            last = last + (head >> 4) if head >> 4 else self.number()
            fields[last] = self.value(head & 15)


assert data[:4] == data[-4:] == b"PAR1"
n, = struct.unpack("<I", data[-8:-4])
foot = Thrift(len(data) - 8 - n)
meta = foot.struct()
assert foot.at == len(data) - 8
schema = meta[2][1:]
assert meta[2][0][5] == len(schema)
columns = {s[4].decode(): [] for s in schema}
for group in meta[4]:
    assert len(group[1]) == len(schema)
    for s, chunk in zip(schema, group[1]):
        c = chunk[3]
        assert c[1] == s[1] and c[3] == [s[4]] and c[4] == 0 and c[5] == group[3]
        t = Thrift(c[9])
        page = t.struct()
        assert page[1] == 0 and page[5][1] == group[3] and page[5][2] == 0
        at, end = t.at, t.at + page[3]
        assert end - c[9] == c[6] == c[7]
        there = [1] * group[3]
        if s[3] == 1:
            n, = struct.unpack_from("<I", data, at)
            t, there = Thrift(at + 4), []
            at += 4 + n
            while t.at < at:
                head = t.varint()
                assert head & 1 == 0                                 # a run
                there += [data[t.at]] * (head >> 1)
                t.at += 1
        assert len(there) == group[3]
        for has in there:
            v = None
            if has and s[1] == 6:
                n, = struct.unpack_from("<I", data, at)
                v = data[at + 4:at + 4 + n].decode()
                at += 4 + n
            elif has:
                v, = struct.unpack_from({2: "<q", 5: "<d"}[s[1]], data, at)
                at += 8
            columns[s[4].decode()].append(v)
        assert at == end
assert all(len(v) == meta[3] for v in columns.values())
print(json.dumps({"columns": columns, "meta": {m[1].decode(): m[2].decode() for m in meta[5]}}))
