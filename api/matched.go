package api

import (
	"errors"
	"net/http"
	"regexp"
	"strconv"

	"github.com/gin-gonic/gin"

	"depositd/migrations/sqldb"
)

// versionTag is a version as If-Match writes it: one strong entity tag, since a person has seen one version.
var versionTag = regexp.MustCompile(`^"([1-9][0-9]{0,17})"$`)

// matched makes a handler of one that acts on a version that the person has seen. Which one stands in If-Match and nowhere
// else (RFC 9110 §13.1.1, RFC 6585 §3). The handler cannot forget it: it is given it.
func matched(act func(c *gin.Context, seen int64) error) func(*gin.Context) error {
	return func(c *gin.Context) error {
		tags := c.Request.Header.Values("If-Match")
		if len(tags) == 0 {
			return problem(http.StatusPreconditionRequired, "version_required", `请在 If-Match 请求头中写明所见的版本，如 If-Match: "3"（见该记录的 version）`)
		}
		found := versionTag.FindStringSubmatch(tags[0])
		if len(tags) > 1 || found == nil {
			return problem(http.StatusBadRequest, "version_malformed", `If-Match 应恰为一个带双引号的版本，如 "3"`)
		}
		seen, _ := strconv.ParseInt(found[1], 10, 64) // 18 digits at most
		err := act(c, seen)
		if errors.Is(err, sqldb.ErrStale) {
			return problem(http.StatusPreconditionFailed, "changed_meanwhile", changedMeanwhile)
		}
		return err
	}
}

// tag tells the version of what is answered, to be sent back in If-Match.
func tag(c *gin.Context, version int64) { c.Header("ETag", versionOf(version)) }

func versionOf(version int64) string { return `"` + strconv.FormatInt(version, 10) + `"` }
