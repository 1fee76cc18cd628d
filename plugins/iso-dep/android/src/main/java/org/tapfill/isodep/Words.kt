package org.tapfill.isodep

import java.util.Locale

/** What the system shows in our name, so its words are here. */
internal class Words(val confirm: String, val covered: String) {
    companion object {
        private val english = Words(
            "Confirm that it is you, to open your cards",
            "Another app lies over this screen. Close it before you type here",
        )
        private val simplified = Words("确认是您本人，打开您的卡片", "有其他应用遮住了这个界面，请先关闭它再输入")
        private val traditional = Words("確認是您本人，打開您的卡片", "有其他應用程式遮住了這個畫面，請先關閉它再輸入")

        /** The languages of the page, under the names that it has for them. */
        private val all = mapOf("zh-CN" to simplified, "zh-TW" to traditional, "en" to english)

        /** `chosen` in the app, or else the phone's. */
        fun of(chosen: String?, phone: Locale): Words = all[chosen] ?: when (phone.language) {
            "en" -> english
            "zh" -> if (isTraditional(phone)) traditional else simplified
            else -> simplified
        }

        private fun isTraditional(phone: Locale): Boolean =
            phone.script == "Hant" || (phone.script.isEmpty() && phone.country in setOf("TW", "HK", "MO"))
    }
}
