/// The sheet lies over the page, so its words are here.
public struct Words {
  public let hold: String
  public let again: String
  public let several: String

  /// `language` as in `Locale.preferredLanguages`: Chinese, or else English.
  public static func of(_ language: String?) -> Words {
    return language?.hasPrefix("en") == true ? english : chinese
  }

  static let chinese = Words(
    hold: "请将卡片贴在手机顶部，不要移动",
    again: "卡片已离开，请重新贴卡",
    several: "请只贴一张卡片")

  static let english = Words(
    hold: "Hold the card to the top of the phone and keep it still",
    again: "The card left. Hold it there again",
    several: "One card at a time, please")
}
