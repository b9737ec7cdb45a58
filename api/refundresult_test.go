package api

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"depositd/bank"
	"depositd/bank/banksim"
	"depositd/refund"
)

// pay lets the simulated bank have what is released.
func (h *house) pay(dice banksim.Dice) *banksim.Payments {
	h.t.Helper()
	b, err := h.server.Banks.Bank("line")
	if err != nil {
		h.t.Fatal(err)
	}
	pays := banksim.New(b, rand.New(rand.NewPCG(1, 2)), func() time.Time { return h.now }).Paying(banksim.PayRules{Dice: dice})
	_, err = h.server.Refund.SendDue(context.Background(), "sender", b, func(_ context.Context, _ *bank.Bank, _ string, raw []byte) ([]byte, error) {
		if answer, answered := pays.Take(raw); answered {
			return answer, nil
		}
		return nil, errors.New("no answer")
	})
	if err != nil {
		h.t.Fatal(err)
	}
	return pays
}

// A bank's result that it pushes is read by the refunds, kept like any message, and answered in the dialect.
func TestPushedResult(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		h.released(2)
		pays := h.pay(banksim.Always(banksim.PaysLater))
		var page RefundPage
		h.get("/v1/refunds?state=ACCEPTED").want(200, "").into(&page)
		if len(page.Refunds) != 2 || page.Refunds[0].WaitsFor != refund.ForBank || page.Refunds[0].SentAt == nil {
			t.Fatalf("sent %+v", page)
		}
		var results [][]byte
		for range 100 {
			h.now = h.now.Add(time.Hour)
			pays.Tick()
			results = append(results, pays.Results()...)
		}
		if len(results) == 0 {
			t.Fatal("the simulated bank says nothing by itself")
		}
		before := h.count("messages")
		for _, raw := range results {
			for range 2 { // it may come twice
				got := h.send("POST", "/v1/banks/line/messages", raw).want(200, "")
				if !bytes.Contains(got.Body.Bytes(), []byte("<TransCode>G00012</TransCode>")) || !bytes.Contains(got.Body.Bytes(), []byte("<Result>0")) || bytes.Contains(got.Body.Bytes(), []byte("<Result>09")) {
					t.Errorf("answered %s", got.Body)
				}
			}
		}
		h.get("/v1/refunds?state=PAID").want(200, "").into(&page)
		if len(page.Refunds) != 2 || h.count("messages") != before+len(results) {
			t.Errorf("paid %+v, %d messages kept", page, h.count("messages")-before)
		}
		var story RefundStory
		h.get("/v1/refunds/"+page.Refunds[0].ID.String()).want(200, "").into(&story)
		if story.Sent == nil || len(story.Answers) < 2 || story.WordName != "已付款" || len(story.Sent.SHA256) != 64 {
			t.Errorf("story %+v", story)
		}
		strange, err := os.ReadFile("../testdata/bank/gseries/payout/notice.xml")
		if err != nil {
			t.Fatal(err)
		}
		strange = bytes.ReplaceAll(strange, []byte("B260612000001"), []byte("B999999999999")) // the simulated bank counts alike
		got := h.send("POST", "/v1/banks/line/messages", strange).want(200, "")
		kept := slices.ContainsFunc(h.kept(), func(m bank.StoredMessage) bool { return m.Code == "result_of_nobody" && bytes.Equal(m.Body, strange) })
		if !bytes.Contains(got.Body.Bytes(), []byte("<Result>09</Result>")) || !kept {
			t.Errorf("a result of nobody's: %s", got.Body)
		}
	})
}

func TestResultFile(t *testing.T) {
	h := local(t)
	h.released(1)
	pays := h.pay(banksim.Always(banksim.LosesAnswer))
	var page RefundPage
	h.get("/v1/refunds?state=UNKNOWN").want(200, "").into(&page)
	r := page.Refunds[0]
	moves := "/v1/refunds/" + r.ID.String() + "/moves"
	move := func(act string) string { return fmt.Sprintf(`{"act":%q,"note":"与银行核实"}`, act) }
	h.move(checker, moves, r.Version, move("disprove")).want(409, "")
	h.move(checker, moves, r.Version, move("vouch")).want(409, "no_debit")
	h.move(checker, moves, r.Version, move("cancel")).want(409, "lines_taken")
	h.move(checker, moves, r.Version, move("confirm_hand")).want(409, "not_by_hand")
	h.move(checker, moves, r.Version, move("return")).want(404, "credit_unknown")
	h.move(checker, moves, r.Version+1, move("vouch")).want(412, "changed_meanwhile")
	h.move(checker, moves, r.Version, move("burn")).want(422, "act_unknown")
	file := pays.ResultFile(r.BatchNumber + "-1")
	if len(file) == 0 {
		t.Fatal("the simulated bank has no result")
	}
	results := func(bank, body string) *answer {
		return h.as(checker, "POST", "/v1/refund-results?bank="+bank, "application/octet-stream", body)
	}
	var taken ResultTaken
	results("line", string(file)).want(200, "").into(&taken)
	h.get("/v1/refunds?state=PAID").want(200, "").into(&page)
	if taken.Messages != 1 || len(page.Refunds) != 1 {
		t.Errorf("taken %+v, paid %+v", taken, page)
	}
	results("line", string(file)).want(200, "")
	results("line", "rubbish").want(422, "")
	results("open", "{}").want(409, "bank_cannot_pay")
	results("nobody", "{}").want(404, "")
	results("", "{}").want(400, "field_missing")
}

// A batch that the bank refused is diagnosed: what was sent and answered, and on which side it failed.
func TestBatchDiagnosis(t *testing.T) {
	h := local(t)
	h.released(2)
	h.pay(banksim.Always(banksim.Refuses))
	var page RefundPage
	h.get("/v1/refunds").want(200, "").into(&page)
	var found refund.Diagnosis
	h.get("/v1/refund-batches/"+page.Refunds[0].Batch.String()+"/diagnosis").want(200, "").into(&found)
	if len(found.Lines) != 2 || len(found.Messages) == 0 || found.Lines[0].Side != refund.SideBank || !strings.Contains(found.Messages[0].Request, "G00010") {
		t.Errorf("found %+v", found)
	}
	h.get("/v1/refund-batches/"+page.Refunds[0].ID.String()+"/diagnosis").want(404, "batch_unknown")
}
