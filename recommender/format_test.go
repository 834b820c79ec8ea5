package recommender

import (
	"testing"
	"time"
)

func TestQuantity(t *testing.T) {
	for _, c := range []struct {
		r    Resource
		give float64
		want string
	}{
		{CPU, 0.25, "250m"},
		{CPU, 2, "2"},
		{CPU, 1.5, "1500m"},
		{CPU, 0, "0"},
		{CPU, 0.0001, "100u"},
		{CPU, 0.1 + 0.2, "300m"},
		{CPU, 3e-9, "3n"},
		{Memory, 128 << 20, "128Mi"},
		{Memory, 1 << 30, "1Gi"},
		{Memory, 1536 << 20, "1536Mi"},
		{Memory, 1e9, "1G"},
		{Memory, 128e6, "128M"},
		{Memory, 0, "0"},
		{Memory, 1000, "1k"},
		{Memory, 1001, "1001"},
		{Memory, 1024, "1Ki"},
		{Memory, 3 << 40, "3Ti"},
	} {
		if got := c.r.Quantity(c.give); got != c.want {
			t.Errorf("%s.Quantity(%v) = %q, want %q", c.r, c.give, got, c.want)
		}
	}
}

func TestApproximate(t *testing.T) {
	for _, c := range []struct {
		r    Resource
		give float64
		want string
	}{
		{CPU, 0.0624, "62.4m"},
		{CPU, 0.0000004, "0.0004m"},
		{CPU, 0, "0m"},
		{CPU, 1.2345, "1.23"},
		{CPU, 12, "12"},
		{CPU, 0.1, "100m"},
		{CPU, 1024.4, "1024"},
		{Memory, 187.34 * (1 << 20), "187Mi"},
		{Memory, 1.5 * (1 << 30), "1.5Gi"},
		{Memory, 1023.6 * (1 << 20), "1024Mi"},
		{Memory, 12, "12"},
		{Memory, 0, "0"},
	} {
		if got := c.r.Approximate(c.give); got != c.want {
			t.Errorf("%s.Approximate(%v) = %q, want %q", c.r, c.give, got, c.want)
		}
	}
}

func TestShortDuration(t *testing.T) {
	for d, want := range map[time.Duration]string{
		7 * 24 * time.Hour: "7d", 90 * time.Second: "1m30s", 25 * time.Hour: "1d1h", 0: "0s", 400 * time.Millisecond: "0s", time.Minute: "1m",
	} {
		if got := ShortDuration(d); got != want {
			t.Errorf("ShortDuration(%v) = %q, want %q", d, got, want)
		}
	}
}
