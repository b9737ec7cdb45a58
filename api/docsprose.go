package api

import (
	"html/template"
	"regexp"
	"strings"
)

// prose writes the little Markdown that the document's descriptions use: paragraphs, `code` and tables. Everything else is
// shown as it is.
func prose(text string) template.HTML {
	var out strings.Builder
	for block := range strings.SplitSeq(strings.TrimSpace(text), "\n\n") {
		switch {
		case block == "":
		case strings.HasPrefix(block, "|"):
			writeTable(&out, block)
		default:
			out.WriteString("<p>" + inline(block) + "</p>\n")
		}
	}
	return template.HTML(out.String()) //nolint:gosec // all of it went through inline
}

var codeSpan = regexp.MustCompile("`([^`]+)`")

// inline escapes a text and marks its code.
func inline(text string) string {
	return codeSpan.ReplaceAllString(template.HTMLEscapeString(text), "<code>$1</code>")
}

var ruler = regexp.MustCompile(`^[|\-: ]+$`)

func writeTable(out *strings.Builder, block string) {
	out.WriteString("<table>\n")
	cell := "th"
	for line := range strings.SplitSeq(block, "\n") {
		if ruler.MatchString(line) {
			cell = "td"
			continue
		}
		out.WriteString("<tr>")
		for part := range strings.SplitSeq(strings.Trim(line, "| "), "|") {
			out.WriteString("<" + cell + ">" + inline(strings.TrimSpace(part)) + "</" + cell + ">")
		}
		out.WriteString("</tr>\n")
	}
	out.WriteString("</table>\n")
}
