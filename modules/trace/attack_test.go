package trace_test

import (
	"strings"
	"testing"

	"ejustice.dev/operator/modules/trace"
	"ejustice.dev/operator/modules/trace/chain"
	"ejustice.dev/operator/modules/trace/tracetest"
)

// rewrite is what the trace's own function makes, in a superuser's words: it
// changes one entry and gives it and all after it new hashes, and the head too.
const rewrite = `
DO $$ DECLARE e trace.entry; previous bytea; pairs text; BEGIN
	UPDATE trace.entry SET person = 'somebody-else' WHERE court = 'AAA' AND seq = 3;
	SELECT hash INTO previous FROM trace.entry WHERE court = 'AAA' AND seq = 2;
	FOR e IN SELECT * FROM trace.entry WHERE court = 'AAA' AND seq >= 3 ORDER BY seq LOOP
		SELECT string_agg(concat(octet_length(key), ':', key, ',', octet_length(value), ':', value, ','), '' ORDER BY key COLLATE "C")
			INTO pairs FROM jsonb_each_text(e.details);
		previous := sha256(convert_to(concat('21:ejustice-trace-link-1,64:', encode(previous, 'hex'), ',3:AAA,1:0,',
			octet_length(e.seq::text), ':', e.seq, ',27:', to_char(e.at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"'), ',64:',
			encode(sha256(convert_to(concat('22:ejustice-trace-entry-1,36:', e.id, ',', (SELECT string_agg(concat(octet_length(v), ':', v, ','), '' ORDER BY n)
				FROM unnest(ARRAY[e.person, e.session, e.role, e.role_court, e.delegated_for, e.client, e.action, e.outcome,
					e.object_kind, e.object_id, e.case_id::text, e.reason, pairs]) WITH ORDINALITY AS u (v, n))), 'UTF8')), 'hex'), ','), 'UTF8'));
		UPDATE trace.entry SET hash = previous WHERE court = 'AAA' AND seq = e.seq;
	END LOOP;
	UPDATE trace.head SET hash = previous WHERE court = 'AAA' AND shard = 0;
END $$`

// A superuser who takes the guards away and changes something is found, in the
// database and in an export made afterwards, and the first link is named.
// There are ten entries in AAA and BBB, anchored after the fourth, the seventh and the
// ninth; the tenth is not anchored yet.
func TestSuperuserIsFound(t *testing.T) {
	const at = ` WHERE court = 'AAA' AND shard = 0 AND seq `
	for name, attack := range map[string]struct {
		sql  string
		want chain.Break
		says string
		// Where an export differs, because it is made of what is there.
		export chain.Kind
	}{
		"deletes a row":         {sql: `DELETE FROM trace.entry` + at + `= 5`, want: chain.Break{Kind: chain.Missing, Seq: 5}, says: "entry 5: missing"},
		"deletes the first row": {sql: `DELETE FROM trace.entry` + at + `= 1`, want: chain.Break{Kind: chain.Missing, Seq: 1}},
		"swaps two rows": {
			sql:  `UPDATE trace.entry SET seq = -seq + 1000000` + at + `IN (3, 6); UPDATE trace.entry SET seq = 3` + at + `= 999994; UPDATE trace.entry SET seq = 6` + at + `= 999997`,
			want: chain.Break{Kind: chain.Reordered, Seq: 3}, says: "what belongs here stands at 6",
		},
		"swaps two rows but for their hashes": {
			sql: `UPDATE trace.entry SET seq = -seq + 1000000` + at + `IN (3, 6); UPDATE trace.entry SET seq = 3` + at + `= 999994; UPDATE trace.entry SET seq = 6` + at + `= 999997;
				UPDATE trace.entry SET hash = (SELECT hash FROM trace.entry o WHERE o.court = 'AAA' AND o.seq = 9 - trace.entry.seq)` + at + `IN (3, 6)`,
			want: chain.Break{Kind: chain.Reordered, Seq: 3},
		},
		"alters a byte of a reason":   {sql: `UPDATE trace.entry SET reason = reason || 'x'` + at + `= 8`, want: chain.Break{Kind: chain.Altered, Seq: 8}, says: "court AAA, chain 0, entry 8: altered"},
		"alters a person":             {sql: `UPDATE trace.entry SET person = 'x'` + at + `= 2`, want: chain.Break{Kind: chain.Altered, Seq: 2}},
		"alters an outcome":           {sql: `UPDATE trace.entry SET outcome = 'refused'` + at + `= 2`, want: chain.Break{Kind: chain.Altered, Seq: 2}},
		"alters a time":               {sql: `UPDATE trace.entry SET at = at + interval '1 microsecond'` + at + `= 2`, want: chain.Break{Kind: chain.Altered, Seq: 2}},
		"alters a detail":             {sql: `UPDATE trace.entry SET details = details || '{"n":"77"}'` + at + `= 2`, want: chain.Break{Kind: chain.Altered, Seq: 2}},
		"adds a detail":               {sql: `ALTER TABLE trace.entry DROP CONSTRAINT entry_details_check; UPDATE trace.entry SET details = details || '{"z":{"y":1}}'` + at + `= 2`, want: chain.Break{Kind: chain.Altered, Seq: 2}},
		"takes the case away":         {sql: `UPDATE trace.entry SET case_id = NULL` + at + `= 2`, want: chain.Break{Kind: chain.Altered, Seq: 2}},
		"alters a hash":               {sql: `UPDATE trace.entry SET hash = set_byte(hash, 3, get_byte(hash, 3) # 1)` + at + `= 4`, want: chain.Break{Kind: chain.Altered, Seq: 4}},
		"alters the newest":           {sql: `UPDATE trace.entry SET reason = ''` + at + `= 10`, want: chain.Break{Kind: chain.Altered, Seq: 10}},
		"deletes the newest":          {sql: `DELETE FROM trace.entry` + at + `>= 10`, want: chain.Break{Kind: chain.Missing, Seq: 10}},
		"deletes the newest anchored": {sql: `DELETE FROM trace.entry` + at + `>= 8`, want: chain.Break{Kind: chain.Missing, Seq: 8}},
		"deletes the newest and sets the head back": {
			sql:  `DELETE FROM trace.entry` + at + `>= 6; UPDATE trace.head h SET seq = 5, hash = (SELECT hash FROM trace.entry` + at + `= 5) WHERE court = 'AAA' AND shard = 0`,
			want: chain.Break{Kind: chain.Missing, Seq: 6}, says: "anchor 2",
		},
		"deletes a chain":                 {sql: `DELETE FROM trace.entry WHERE court = 'AAA'`, want: chain.Break{Kind: chain.Missing, Seq: 1}},
		"deletes a chain and its head":    {sql: `DELETE FROM trace.entry WHERE court = 'AAA'; DELETE FROM trace.head WHERE court = 'AAA'`, want: chain.Break{Kind: chain.Missing, Seq: 1}},
		"empties the tables":              {sql: `TRUNCATE trace.entry; TRUNCATE trace.head`, want: chain.Break{Kind: chain.Missing, Seq: 1}},
		"rewrites a whole chain":          {sql: rewrite, want: chain.Break{Kind: chain.Rewritten, Seq: 1, Through: 4, Anchor: 1}, says: "anchor 1 covers others"},
		"adds a row of their own":         {sql: `INSERT INTO trace.entry SELECT court, shard, 11, id, at, person, session, role, role_court, delegated_for, client, action, outcome, object_kind, object_id, case_id, reason, details, hash FROM trace.entry` + at + `= 10`, want: chain.Break{Kind: chain.Foreign, Seq: 11}, export: "none"},
		"alters the head":                 {sql: `UPDATE trace.head SET hash = set_byte(hash, 0, get_byte(hash, 0) # 1) WHERE court = 'AAA' AND shard = 0`, want: chain.Break{Kind: chain.Altered, Seq: 10}},
		"deletes an anchor":               {sql: `DELETE FROM trace.anchor WHERE number = 2`, want: chain.Break{Kind: chain.BadAnchor, Anchor: 2}, says: "anchor 2: is missing"},
		"alters an anchor's time":         {sql: `UPDATE trace.anchor SET at = at + interval '1 second' WHERE number = 2`, want: chain.Break{Kind: chain.BadSignature, Anchor: 2}},
		"alters an anchor's signature":    {sql: `UPDATE trace.anchor SET signature = set_byte(signature, 9, get_byte(signature, 9) # 1) WHERE number = 3`, want: chain.Break{Kind: chain.BadSignature, Anchor: 3}},
		"names another key":               {sql: `UPDATE trace.anchor SET key_id = 'mine/1' WHERE number = 3`, want: chain.Break{Kind: chain.BadSignature, Anchor: 3}, says: `"mine/1"`},
		"alters what an anchor continues": {sql: `UPDATE trace.anchor SET previous = root WHERE number = 2`, want: chain.Break{Kind: chain.BadAnchor, Anchor: 2}},
		"alters what an anchor covers":    {sql: `UPDATE trace.anchor_head SET seq = 5 WHERE court = 'AAA' AND number = 2`, want: chain.Break{Kind: chain.BadAnchor, Anchor: 2}},
		"takes a head from an anchor":     {sql: `DELETE FROM trace.anchor_head WHERE court = 'AAA' AND number = 2`, want: chain.Break{Kind: chain.BadAnchor, Anchor: 2}},
		"swaps two anchors": {
			sql:  `UPDATE trace.anchor SET number = 5 - number + 100 WHERE number IN (2, 3); UPDATE trace.anchor SET number = number - 100 WHERE number > 100`,
			want: chain.Break{Kind: chain.BadAnchor, Anchor: 2},
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := start(t)
			for _, n := range []int{4, 3, 2} {
				f.fill(t, n, "AAA", "BBB")
				f.anchor(t)
			}
			f.fill(t, 1, "AAA", "BBB")
			f.holds(t, 20)
			if before := f.verifyExport(t, f.export(t, trace.Filter{}, nil)); !before.OK() || before.Links != 20 {
				t.Fatalf("before: %s", before)
			}
			f.exec(t, attack.sql)
			check(t, "the database", f.verify(t, trace.Filter{}), attack.want, attack.says)
			if attack.export != "none" {
				check(t, "an export", f.verifyExport(t, f.export(t, trace.Filter{}, nil)), attack.want, attack.says)
			}
		})
	}
}

// check compares the first break.
func check(t *testing.T, where string, report chain.Report, want chain.Break, says string) {
	t.Helper()
	if report.OK() {
		t.Errorf("%s: nothing was found", where)
		return
	}
	got := report.Breaks[0]
	if got.Kind != want.Kind || got.Seq != want.Seq || want.Through > 0 && got.Through != want.Through ||
		want.Anchor > 0 && got.Anchor != want.Anchor || want.Seq > 0 && got.Chain.Court != "AAA" || !strings.Contains(got.String(), says) {
		t.Errorf("%s: found %+v, want %+v saying %q", where, got, want, says)
	}
}

// Nobody without the key can make the anchors anew.
func TestAnchorsByAnotherKey(t *testing.T) {
	t.Parallel()
	f := start(t)
	f.fill(t, 3, "AAA")
	f.anchor(t)
	f.exec(t, `TRUNCATE trace.anchor; TRUNCATE trace.anchor_head`)
	if _, err := trace.Anchor(ctx, f.pool, tracetest.NewKey(2)); err != nil {
		t.Fatal(err)
	}
	check(t, "the database", f.verify(t, trace.Filter{}), chain.Break{Kind: chain.BadSignature, Anchor: 1}, "signature")
}

// Who cuts off everything since some anchor, and that anchor, is found by who has
// kept it elsewhere.
func TestKnownAnchor(t *testing.T) {
	t.Parallel()
	f := start(t)
	f.fill(t, 3, "AAA")
	f.anchor(t)
	f.fill(t, 2, "AAA")
	f.anchor(t)
	known := f.verify(t, trace.Filter{}).Position
	if known.Number != 2 {
		t.Fatalf("position %v", known)
	}
	f.exec(t, `DELETE FROM trace.entry WHERE seq > 3; DELETE FROM trace.anchor WHERE number = 2; DELETE FROM trace.anchor_head WHERE number = 2;
		UPDATE trace.head SET seq = 3, hash = (SELECT hash FROM trace.entry WHERE seq = 3) WHERE shard = 0`)
	f.holds(t, 3)
	want := chain.Break{Kind: chain.BadAnchor, Anchor: 2}
	check(t, "the database", f.verify(t, trace.Filter{}, known), want, "cut off")
	check(t, "an export", f.verifyExport(t, f.export(t, trace.Filter{}, nil), known), want, "cut off")
	f.fill(t, 1, "AAA")
	f.anchor(t)
	check(t, "another anchor with the number", f.verify(t, trace.Filter{}, known), want, "not the one")
}

// Nothing is signed on top of what was altered.
func TestAnchorRefuses(t *testing.T) {
	t.Parallel()
	for name, sql := range map[string]string{
		"a head set back":   `UPDATE trace.head SET seq = 1 WHERE shard = 0`,
		"an altered anchor": `UPDATE trace.anchor_head SET seq = 1`,
	} {
		f := start(t)
		f.fill(t, 3, "AAA")
		f.anchor(t)
		f.fill(t, 1, "BBB")
		f.exec(t, sql)
		if made, err := trace.Anchor(ctx, f.pool, f.key); err == nil || made {
			t.Errorf("%s: made %v, error %v", name, made, err)
		}
	}
}
