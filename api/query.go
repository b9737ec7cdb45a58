package api

import (
	"net/http"
	"slices"
	"strconv"

	"github.com/gin-gonic/gin"

	"depositd/migrations/sqldb"
	"depositd/platform/deposit"
)

// onlyParameters refuses a query parameter that is not known, or given twice: a misspelt filter must not show everything.
func onlyParameters(c *gin.Context, known ...string) error {
	var wrong complaints
	for name, values := range c.Request.URL.Query() {
		switch {
		case !slices.Contains(known, name):
			wrong.add(true, Fault{Parameter: name, Code: "parameter_unknown", Detail: "没有这个参数：" + name})
		case len(values) > 1:
			wrong.add(true, Fault{Parameter: name, Code: "parameter_twice", Detail: "参数重复：" + name})
		}
	}
	return wrong.err()
}

func badParameter(name, code, detail string) *Problem {
	return problem(http.StatusBadRequest, code, detail, Fault{Parameter: name, Code: code, Detail: detail})
}

// Pages hold 50 of a list unless asked otherwise.
const (
	defaultLimit = 50
	maxLimit     = 200
)

func limit(c *gin.Context) (int, error) {
	said := c.Query("limit")
	if said == "" {
		return defaultLimit, nil
	}
	n, err := strconv.Atoi(said)
	if err != nil || n < 1 || n > maxLimit {
		return 0, badParameter("limit", "limit_malformed", "limit 应为 1 到 200 的整数")
	}
	return n, nil
}

// idParam is the key in the path.
func idParam(c *gin.Context) (sqldb.ID, error) { return keyParam(c, "id") }

// keyParam is a key in the path under another name.
func keyParam(c *gin.Context, name string) (sqldb.ID, error) {
	text, err := param(c, name)
	if err != nil {
		return 0, err
	}
	id, err := sqldb.ParseID(text)
	if err != nil || id == 0 {
		return 0, badParameter(name, "id_malformed", "编号应为 13 位小写字母和数字")
	}
	return id, nil
}

// idIf is a key of the query that may be absent.
func idIf(c *gin.Context, name string) (sqldb.ID, error) {
	id, err := sqldb.ParseID(c.Query(name))
	if err != nil {
		return 0, badParameter(name, "id_malformed", name+" 应为 13 位小写字母和数字的编号")
	}
	return id, nil
}

// dayIf is a day of the query that may be absent.
func dayIf(c *gin.Context, name string) (deposit.Day, error) {
	if c.Query(name) == "" {
		return "", nil
	}
	return dayOf(name, c.Query(name))
}

// dayParam is the day in the path.
func dayParam(c *gin.Context) (deposit.Day, error) {
	text, err := param(c, "day")
	if err != nil {
		return "", err
	}
	return dayOf("day", text)
}

func dayOf(name, text string) (deposit.Day, error) {
	day, err := deposit.ParseDay(text)
	if err != nil {
		return "", badParameter(name, "day_malformed", "日期不存在或格式不对，应如 2026-06-12")
	}
	return day, nil
}

// yes is a switch of the query: 1 or true, 0 or false; absent is false.
func yes(c *gin.Context, name string) (bool, error) {
	switch c.Query(name) {
	case "1", "true":
		return true, nil
	case "", "0", "false":
		return false, nil
	}
	return false, badParameter(name, "parameter_malformed", name+" 应为 1 或 0")
}
