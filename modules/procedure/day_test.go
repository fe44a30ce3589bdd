package procedure_test

import (
	"encoding/json"
	"testing"
	"time"

	"ejustice.dev/operator/modules/procedure"
)

// Published dates of Easter Sunday, the earliest and latest possible among them.
func TestEaster(t *testing.T) {
	for _, want := range []string{"1818-03-22", "1943-04-25", "1954-04-18", "1981-04-19", "2000-04-23", "2008-03-23", "2024-03-31", "2025-04-20", "2026-04-05", "2027-03-28", "2028-04-16", "2029-04-01", "2030-04-21", "2038-04-25", "2049-04-18", "2076-04-19"} {
		if got := procedure.Easter(day(t, want).Year()).String(); got != want {
			t.Errorf("Easter %s, want %s", got, want)
		}
	}
}

func TestDay(t *testing.T) {
	for text, number := range map[string]procedure.Day{"1970-01-01": 0, "1969-12-31": -1, "2000-02-29": 11016, "0001-01-01": -719162, "9999-12-31": 2932896} {
		if got := day(t, text); got != number || got.String() != text {
			t.Errorf("%s is %d (%s), want %d", text, got, got, number)
		}
	}
	for _, text := range []string{"", "2026-02-29", "2026-13-01", "2026-1-1", "0000-01-01", "10000-01-01", "2026-01-01T00:00:00Z"} {
		if _, err := procedure.ParseDay(text); err == nil {
			t.Errorf("%q was read", text)
		}
	}
	var back struct{ D procedure.Day }
	text, err := json.Marshal(struct{ D procedure.Day }{20000})
	if err != nil || json.Unmarshal(text, &back) != nil || back.D != 20000 || string(text) != `{"D":"2024-10-04"}` {
		t.Errorf("written %s, read %v, error %v", text, back.D, err)
	}
}

// A day begins at an instant before which another day was, in zones whose clocks
// change at midnight, skip a day or fall back into the day before.
func TestDayBegins(t *testing.T) {
	for _, name := range []string{"UTC", "Asia/Hebron", "Asia/Gaza", "Africa/Abidjan", "America/St_Lucia", "America/Havana", "America/Sao_Paulo", "Asia/Beirut", "Asia/Amman", "America/St_Johns", "Pacific/Apia", "Australia/Lord_Howe", "Africa/Cairo", "America/Asuncion"} {
		zone, err := time.LoadLocation(name)
		if err != nil {
			t.Fatal(err)
		}
		for d := day(t, "1975-01-01"); d < day(t, "2040-01-01"); d++ {
			begin := d.Begin(zone)
			missing := name == "Pacific/Apia" && d == day(t, "2011-12-30")
			if at := procedure.DayAt(begin, zone); at != d && !(missing && at == d+1) {
				t.Fatalf("%s: %s begins at %s", name, d, begin)
			}
			if before := procedure.DayAt(begin.Add(-time.Nanosecond), zone); before >= d {
				t.Fatalf("%s: %s was there before %s", name, d, begin)
			}
			for _, later := range []time.Duration{20 * time.Minute, time.Hour, 2 * time.Hour} {
				if procedure.DayAt(begin.Add(later), zone) < d {
					t.Fatalf("%s: %s ends again after %s", name, d, begin)
				}
			}
		}
	}
	for _, c := range []struct{ zone, day, begin string }{
		{"Asia/Hebron", "2026-03-28", "2026-03-27T22:00:00Z"},
		{"America/Havana", "2026-03-08", "2026-03-08T05:00:00Z"},    // no midnight: clocks go to 01:00
		{"America/Sao_Paulo", "2018-11-04", "2018-11-04T03:00:00Z"}, // likewise
		{"America/Havana", "2026-11-01", "2026-11-01T04:00:00Z"},    // two midnights: the first
		{"America/St_Johns", "2010-11-07", "2010-11-07T03:30:00Z"},  // the day before came back
		{"Pacific/Apia", "2011-12-30", "2011-12-30T10:00:00Z"},      // no such day
	} {
		zone, err := time.LoadLocation(c.zone)
		if err != nil {
			t.Fatal(err)
		}
		if got := day(t, c.day).Begin(zone).UTC().Format(time.RFC3339); got != c.begin {
			t.Errorf("%s: %s begins at %s, want %s", c.zone, c.day, got, c.begin)
		}
	}
}
