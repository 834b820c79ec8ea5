package recommender

import (
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"
	"unicode"
)

// Quantity is an amount as a Kubernetes quantity, exact and as short as it can be: "250m", "2", "1536Mi",
// "1G". It is for what is declared and recommended.
func (r Resource) Quantity(amount float64) string {
	if r == CPU {
		return cpuQuantity(amount)
	}
	return memoryQuantity(amount)
}

// cpuQuantity goes down to nanocores, the finest that Kubernetes keeps.
func cpuQuantity(cores float64) string {
	n := math.Round(cores * 1e9)
	for _, u := range []struct {
		suffix string
		nanos  float64
	}{{"", 1e9}, {"m", 1e6}, {"u", 1e3}} {
		if math.Mod(n, u.nanos) == 0 {
			return strconv.FormatFloat(n/u.nanos, 'f', -1, 64) + u.suffix
		}
	}
	return strconv.FormatFloat(n, 'f', -1, 64) + "n"
}

func memoryQuantity(bytes float64) string {
	n := math.Round(bytes)
	if n == 0 {
		return "0"
	}
	best := strconv.FormatFloat(n, 'f', -1, 64)
	for _, u := range []struct {
		suffix string
		bytes  float64
	}{
		{"Ti", 1 << 40},
		{"Gi", 1 << 30},
		{"Mi", 1 << 20},
		{"Ki", 1 << 10},
		{"T", 1e12},
		{"G", 1e9},
		{"M", 1e6},
		{"k", 1e3},
	} {
		if math.Mod(n, u.bytes) != 0 {
			continue
		}
		if s := strconv.FormatFloat(n/u.bytes, 'f', -1, 64) + u.suffix; len(s) < len(best) {
			best = s
		}
	}
	return best
}

// Approximate is an amount to about three digits: "62.4m", "1.25", "187Mi". It is for what was measured.
func (r Resource) Approximate(amount float64) string {
	if r == CPU {
		if math.Abs(amount) < 1 {
			return threeDigits(amount*1000) + "m"
		}
		return threeDigits(amount)
	}
	for _, u := range []struct {
		suffix string
		bytes  float64
	}{{"Ti", 1 << 40}, {"Gi", 1 << 30}, {"Mi", 1 << 20}, {"Ki", 1 << 10}} {
		if math.Abs(amount) >= u.bytes {
			return threeDigits(amount/u.bytes) + u.suffix
		}
	}
	return threeDigits(amount)
}

// threeDigits keeps three significant digits and never fewer than the whole ones: 0.0624, 6.24, 62.4, 1023.
func threeDigits(x float64) string {
	if x == 0 {
		return "0"
	}
	decimals := 2 - int(math.Floor(math.Log10(math.Abs(x))))
	s := fmt.Sprintf("%.*f", min(max(decimals, 0), 6), x)
	if decimals > 0 {
		s = trimZeros(s)
	}
	return s
}

func trimZeros(s string) string {
	for len(s) > 1 && s[len(s)-1] == '0' {
		s = s[:len(s)-1]
	}
	if s[len(s)-1] == '.' {
		s = s[:len(s)-1]
	}
	return s
}

// DescribePeak is the peak for a note: how much, where and when.
func (r Resource) DescribePeak(p Peak) string {
	s := r.Approximate(p.Value)
	if p.Pod == "" {
		return s
	}
	const minute = "2006-01-02 15:04"
	at := p.At.UTC().Format(minute) + " UTC"
	if p.Within > 0 {
		return fmt.Sprintf("%s, in pod %s within %s before %s", s, p.Pod, ShortDuration(p.Within), at)
	}
	return fmt.Sprintf("%s, in pod %s at %s", s, p.Pod, at)
}

// ShortDuration is a duration in Prometheus's notation, which the flags take: "7d", "1h30m", "90s" is "1m30s".
// It is exact to the second.
func ShortDuration(d time.Duration) string {
	d = d.Round(time.Second)
	if d == 0 {
		return "0s"
	}
	var s string
	for _, u := range []struct {
		suffix string
		length time.Duration
	}{{"d", 24 * time.Hour}, {"h", time.Hour}, {"m", time.Minute}, {"s", time.Second}} {
		if n := d / u.length; n > 0 {
			s += fmt.Sprintf("%d%s", n, u.suffix)
			d -= n * u.length
		}
	}
	return s
}

// Printable is text on one line, without control characters and those that turn its direction: names and
// servers' words are not ours, and terminals obey what they are sent.
func Printable(text string) string {
	text = strings.Map(func(r rune) rune {
		if unicode.IsPrint(r) {
			return r
		}
		return ' '
	}, text)
	return strings.Join(strings.Fields(text), " ")
}

// Count is a number of things in words: "1 run", "3 runs".
func Count(n int, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return fmt.Sprintf("%d %ss", n, noun)
}
