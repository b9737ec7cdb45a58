package api

import (
	"iter"
	"maps"
	"strings"

	"depositd/migrations/sqldb"
	"depositd/platform/people"
	"depositd/reconcile"
)

// auditTables say what an event happened to.
var auditTables = map[string]string{ //nolint:gosec // names, no credentials
	"users": "用户", "tokens": "接口令牌", "departments": "科室", "calendar_years": "工作日安排", "seal_keys": "加密密钥",
	"lots": "标段", "bids": "投标", "leases": "子账号租用", "numbers": "子账号", "number_asks": "子账号申请", "number_openings": "子账号开立",
	"entries": "入账", "matches": "判定", "findings": "差异", "closings": "日终对账", "statements": "对账单", "enquiries": "投标人查询",
	"refunds": "退付", "refund_lists": "退付名单", "refund_batches": "退付批次", "dispositions": "保证金处置", "payee_changes": "收款账户变更", "freezes": "停付",
	"incidents": "应急事件", "incident_steps": "应急步骤", "incident_actions": "改进措施", "outages": "服务中断", "webhook_deliveries": "对外通知",
}

func tablesOfTrail() iter.Seq[string] { return maps.Keys(auditTables) }

func auditTable(name string) string {
	if said := auditTables[name]; said != "" {
		return said
	}
	return name
}

// auditWords say what is no state: what somebody did.
var auditWords = map[string]string{ //nolint:gosec // words, no credentials
	"ADDED": "新增", "ASKED": "申请角色", "GRANTED": "授予角色", "REFUSED": "驳回", "RESET": "重置密码与动态口令", "FIRST": "首任管理员", "CAME_IN": "登录", "WENT": "退出",
	"TRIED": "登录失败", "PASSWORD_SET": "设置密码", "PROVED": "再次验证身份", "FACTOR_SET": "启用动态口令", string(reconcile.Revealed): "查看完整户名、账号", string(reconcile.RevealRefused): "查看完整户名、账号被拒（超过当日次数）",
	"CHANGED": "变更", "CREATED": "新建", "ENDED": "结束", "LOADED": "载入", "STARTED": "启动", "SUBMITTED": "提交", "REWRAPPED": "更换主密钥", "COMPARED": "重新对账",
}

// auditWord is a state, or what somebody did; what has no word in Chinese is told as the trail has it.
func auditWord(word string) string {
	for _, said := range []string{auditWords[word], people.StateName[word], reconcile.StateName[word], reconcile.Code(word).Name()} {
		if said != "" && said != word {
			return said
		}
	}
	return word
}

// auditPlaces are the pages on which somebody sees what an event happened to.
var auditPlaces = map[string]string{"users": "/users/:id", "findings": "/findings/:id", "refund_batches": "/refunds/batches/:id", "refund_lists": "/refunds/lists/:id", "incidents": "/incidents/:id"}

// placeOf is the page about a row, "" where there is none that the visitor may open.
func (s *server) placeOf(who Caller, table string, id sqldb.ID) string {
	path := auditPlaces[table]
	if path == "" || !who.Has(s.pageRoles[path]...) {
		return ""
	}
	if table == "findings" {
		return "/findings?open=" + id.String()
	}
	return strings.Replace(path, ":id", id.String(), 1)
}
