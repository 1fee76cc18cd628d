import CoreNFC
import Foundation
import IsoDepCore

/// Core NFC's session with its sheet. Everything happens on `queue`.
final class NfcField: NSObject, Field, NFCTagReaderSessionDelegate {
  let queue: DispatchQueue
  weak var desk: Desk?
  private var session: NFCTagReaderSession?
  /// As it was chosen in the app; none: the system's.
  var language: String?
  private var words: Words { return Words.of(language, Locale.preferredLanguages) }

  init(queue: DispatchQueue) {
    self.queue = queue
  }

  var state: String {
    return NFCTagReaderSession.readingAvailable ? "on" : "none"
  }

  func open() {
    guard
      let session = NFCTagReaderSession(pollingOption: .iso14443, delegate: self, queue: queue)
    else {
      desk?.closed(NFCReaderError.readerSessionInvalidationErrorSystemIsBusy.rawValue)
      return
    }
    session.alertMessage = words.hold
    self.session = session
    session.begin()
  }

  func pollAnew() {
    session?.alertMessage = words.again
    session?.restartPolling()
  }

  func close() {
    session?.invalidate()
    session = nil
  }

  func tagReaderSessionDidBecomeActive(_ session: NFCTagReaderSession) {
    desk?.opened()
  }

  func tagReaderSession(_ session: NFCTagReaderSession, didInvalidateWithError error: Error) {
    guard session === self.session || self.session == nil else { return }
    self.session = nil
    desk?.closed((error as NSError).code)
  }

  func tagReaderSession(_ session: NFCTagReaderSession, didDetect tags: [NFCTag]) {
    guard tags.count == 1, let tag = tags.first, case .iso7816(let card) = tag else {
      session.alertMessage = tags.count > 1 ? words.several : words.hold
      session.restartPolling()
      return
    }
    session.connect(to: tag) { [self] error in
      queue.async { [self] in
        guard session === self.session else { return }
        if error != nil {
          session.restartPolling()
          return
        }
        session.alertMessage = words.hold
        desk?.found(NfcCard(card, queue))
      }
    }
  }
}

final class NfcCard: Card {
  private let tag: NFCISO7816Tag
  private let queue: DispatchQueue

  init(_ tag: NFCISO7816Tag, _ queue: DispatchQueue) {
    self.tag = tag
    self.queue = queue
  }

  func transceive(_ command: Data, _ done: @escaping (Result<Data, CardFailure>) -> Void) {
    guard let apdu = NFCISO7816APDU(data: command) else { return done(.failure(.radio)) }
    tag.sendCommand(apdu: apdu) { [queue] data, sw1, sw2, error in
      queue.async {
        if let error = error {
          done(.failure(failure((error as NSError).code)))
        } else {
          done(.success(data + Data([sw1, sw2])))
        }
      }
    }
  }
}
