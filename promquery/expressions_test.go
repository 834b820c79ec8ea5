package promquery

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/prometheus/promql/parser"

	"github.com/rightsize/rightsize/recommender"
)

func expressions(list ...form) Expressions {
	w := recommender.Window{Until: time.Unix(1_770_000_000, 0), Length: 7 * 24 * time.Hour, Step: 5 * time.Minute, RateWindow: 5 * time.Minute}
	return Expressions{namespace: `sh"op`, forms: forms{list: list}, window: w}
}

func TestExpressions(t *testing.T) {
	x := expressions(plain)
	one, two := []string{"web-1"}, []string{"web-1", "web.2"}
	const memory, cpu = recommender.Memory, recommender.CPU
	for got, want := range map[string]string{
		x.Usage(memory, "app", one): `max by (namespace, pod, container) (container_memory_working_set_bytes{namespace="sh\"op", container="app", pod="web-1"})`,
		x.Usage(cpu, "app", two):    `max by (namespace, pod, container) (rate(container_cpu_usage_seconds_total{namespace="sh\"op", container="app", pod=~"web-1|web\\.2"}[5m]))`,
		x.Quantile(0.5, memory, "app", one): `quantile_over_time(0.5, (max by (namespace, pod, container) (container_memory_working_set_bytes{namespace="sh\"op", ` +
			`container="app", pod="web-1"}))[1w:5m] @ 1770000000)`,
		x.Peak(memory, "app", one): `max(max by (namespace, pod, container) (max_over_time(container_memory_working_set_bytes{namespace="sh\"op", container="app", pod="web-1"}[1w] @ 1770000000)))`,
	} {
		if got != want {
			t.Errorf("got  %s\nwant %s", got, want)
		}
	}
}

// Whatever the pods and the forms, what is to be pasted is PromQL, and several forms do not match one series twice.
func TestExpressionsParse(t *testing.T) {
	var many []string
	for i := range maxNamed + 1 {
		many = append(many, fmt.Sprintf("web-7f9-%d", i))
	}
	exported := form{"exported_namespace", "exported_pod", "exported_container"}
	p := parser.NewParser(parser.Options{})
	for name, x := range map[string]Expressions{"new": NewExpressions("shop", expressions().window), "plain": expressions(plain), "both": expressions(plain, exported), "exported": expressions(exported)} {
		for _, pods := range [][]string{nil, {"a"}, {"a", `b"\`}, many} {
			for r := range recommender.NumResources {
				for _, query := range []string{
					x.Usage(r, "app", pods), x.Peak(r, "app", pods), x.Quantile(0.99, r, "app", pods), x.Merged(0.5, r, "app", pods), x.Share(1.5e-9, r, "app", pods),
				} {
					if _, err := p.ParseExpr(query); err != nil {
						t.Errorf("%s: %s: %v", name, query, err)
					}
					if len(pods) > maxNamed && !strings.Contains(query, `pod=~"web-7f9-.*"`) {
						t.Errorf("%s: %d pods are selected by %s", name, len(pods), query)
					}
					if name == "both" && (!strings.Contains(query, `exported_pod=""`) || !strings.Contains(query, " or ")) {
						t.Errorf("a series could match twice: %s", query)
					}
				}
			}
		}
	}
}
