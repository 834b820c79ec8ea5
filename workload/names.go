package workload

import "strings"

// How Kubernetes names pods. The API server makes a name out of metadata.generateName by cutting that at 58
// characters and appending five random ones (apiserver, storage/names: a name has at most 63). Controllers
// generate from "<replicaset>-", "<daemonset>-", "<job>-" and, for Indexed Jobs, "<job>-<index>-", where the
// Job's name is cut instead of the end (job controller, podGenerateNameWithIndex). A Deployment names its
// ReplicaSets "<deployment>-<hash>" and a CronJob its Jobs "<cronjob>-<minutes>", neither of them cut.
const (
	longestBase  = 58
	randomLength = 5

	// randomLetters are those of apimachinery's rand.String.
	randomLetters = "bcdfghjklmnpqrstvwxz2456789"
	// hashLetters are what rand.SafeEncodeString makes of the decimal digits of a 32-bit hash, at most ten.
	hashLetters   = "456789bcdf"
	longestHash   = 10
	decimalDigits = "0123456789"

	// A run's minutes since 1970 have had eight digits since 1989; controllers before Kubernetes 1.21 put
	// seconds there, which have ten.
	fewestMinutes, mostMinutes = 8, 10

	// longestIndex is the length of the highest completion index, 2147483646.
	longestIndex = 10
)

// generated splits a generated name into its base and its random end. ok is false where the name has not
// been generated.
func generated(pod string) (base string, ok bool) {
	cut := len(pod) - randomLength
	if cut < 1 || cut > longestBase || !consists(pod[cut:], randomLetters) {
		return "", false
	}
	return pod[:cut], true
}

// lastDash splits s at its last dash.
func lastDash(s string) (before, after string, ok bool) {
	i := strings.LastIndexByte(s, '-')
	if i < 1 {
		return "", "", false
	}
	return s[:i], s[i+1:], true
}

func isHash(s string) bool {
	return s != "" && len(s) <= longestHash && consists(s, hashLetters)
}

func isMinutes(s string) bool {
	return len(s) >= fewestMinutes && len(s) <= mostMinutes && s[0] != '0' && consists(s, decimalDigits)
}

// isIndex says that s is a number as it is printed: without leading zeros.
func isIndex(s string) bool {
	return s != "" && len(s) <= longestIndex && (s == "0" || s[0] != '0') && consists(s, decimalDigits)
}

// startsHash and startsMinutes say whether s can be the beginning of a hash or of minutes, cut anywhere.
func startsHash(s string) bool { return s == "" || isHash(s) }

func startsMinutes(s string) bool {
	return s == "" || len(s) <= mostMinutes && s[0] != '0' && consists(s, decimalDigits)
}

func consists(s, of string) bool {
	for i := range len(s) {
		if strings.IndexByte(of, s[i]) < 0 {
			return false
		}
	}
	return true
}
