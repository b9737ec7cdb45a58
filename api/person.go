package api

import (
	"fmt"
	"net/http"
	"net/netip"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/gin-gonic/gin"
)

// DefaultPersonHeader is the header in which the reverse proxy that people log in to says who they are.
const DefaultPersonHeader = "X-Remote-User"

// mostPerson is how long a person's name may be, in characters: so long is the column of the audit trail.
const mostPerson = 80

// person is who acts, for acts that need three different people: the name that the logging-in reverse proxy has put into its
// header. It is believed only from this machine and from trusted proxies; whoever else sends it could be anybody.
func (s *server) person(c *gin.Context) (string, error) {
	values := c.Request.Header.Values(s.PersonHeader)
	if !s.nearby(c.RemoteIP()) || len(values) != 1 {
		return "", s.nobody()
	}
	name := strings.TrimSpace(values[0])
	if name == "" || !utf8.ValidString(name) || utf8.RuneCountInString(name) > mostPerson || strings.ContainsFunc(name, unicode.IsControl) {
		return "", s.nobody()
	}
	return name, nil
}

func (s *server) nobody() error {
	return problem(http.StatusForbidden, "person_unknown", fmt.Sprint("不知道是谁在操作：请经由登录代理访问；代理须在本机或 --trusted-proxy 所列地址，并在 ",
		s.PersonHeader, " 请求头中写明姓名或工号（1 至 ", mostPerson, " 个字符，UTF-8）"))
}

// nearby says whether a connection comes from this machine or from a trusted proxy.
func (s *server) nearby(address string) bool {
	ip, err := netip.ParseAddr(address)
	if err != nil {
		return false
	}
	ip = ip.Unmap()
	return ip.IsLoopback() || inside(s.TrustedProxies, ip)
}
